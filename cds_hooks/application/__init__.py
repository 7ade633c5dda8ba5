"""Assembly of the application: routes, discovery, middleware."""
