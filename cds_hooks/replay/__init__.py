"""Calls kept without whom they were about, and made again with another version of the service or of its knowledge."""
