"""What the record says, and what follows from it. Imports only ``mappings``."""
