"""What a site sets. Shapes and their checks; imports nothing that is put together from them."""
