"""The sentences that a clinician reads, and what supports them. May know the rules; no order and no payer."""
