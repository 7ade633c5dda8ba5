"""Resources into clinical facts: pure code, no HTTP, no clock."""
