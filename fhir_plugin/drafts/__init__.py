"""What the draft orders of a call order. May know facts and how to read resources; no criterion and no card."""
