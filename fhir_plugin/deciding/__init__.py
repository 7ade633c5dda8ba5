"""Facts assessed by criteria and weighed by protocols. May know facts; no order, no card, no clock and no network."""
