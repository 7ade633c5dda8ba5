"""The application put together: routes, discovery, middleware."""
