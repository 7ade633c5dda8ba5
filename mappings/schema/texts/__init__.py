"""The sentences that a clinician reads, and what they rest on."""
