"""Facts, criteria, protocols, and a site's own changes to them."""
