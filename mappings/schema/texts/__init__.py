"""The sentences that a clinician reads, and what supports them."""
