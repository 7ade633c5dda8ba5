"""The dossier for a prior authorization as Markdown and as a page."""
