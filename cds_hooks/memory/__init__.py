"""What the service remembers of its own cards: to whom nothing, of whom nothing that names anybody."""
