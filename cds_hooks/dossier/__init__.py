"""The dossier for a prior authorization as Markdown and as a page. May know the dossier and how pages look; no request."""
