"""Web pages: rendered on the server, under a strict content security policy, with no content from another origin."""
