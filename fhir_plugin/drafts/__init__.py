"""The draft orders of a call: what they order. Reads nothing else."""
