"""The wire protocol: requests, cards, errors, limits. Knows no clinical rule, and no patient beyond one call."""
