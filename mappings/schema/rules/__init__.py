"""Facts, criteria, protocols, and a site's changes to them. May know codes and instruments; no order, payer or card."""
