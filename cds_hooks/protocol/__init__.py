"""What goes over the wire: requests, cards, errors, limits. Knows no rule and no patient beyond one call."""
