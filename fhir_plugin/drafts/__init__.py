"""What is being ordered. Reads the drafts of one call and nothing else."""
