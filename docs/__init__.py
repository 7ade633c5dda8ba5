"""The documentation: the written pages, and the generator of the others."""
