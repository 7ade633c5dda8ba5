"""Facts assessed by criteria and protocols. Pure: knows no resource, no clock and no network."""
