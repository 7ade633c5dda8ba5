"""The settings of a site: models and their validation. Imports nothing that is built from settings."""
