"""What every knowledge file has in common: strict entries, sources, reading YAML and CSV. Knows no particular file."""
