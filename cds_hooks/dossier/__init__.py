"""The dossier for a prior authorization as Markdown and as a page. May know how pages look; no request."""
