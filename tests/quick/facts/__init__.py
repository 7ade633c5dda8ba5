"""Facts read from small charts."""
