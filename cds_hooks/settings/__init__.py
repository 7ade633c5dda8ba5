"""The settings of a site: models and their validation. Knows nothing that is built from settings."""
