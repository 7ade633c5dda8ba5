"""Facts, criteria, protocols, and what a site decides otherwise."""
