"""What is more than one number: what a call costs as the record grows, and how even the answers are."""
