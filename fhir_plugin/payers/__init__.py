"""What payers require: checklists and the dossier. May know facts and findings, and changes none of them; no network."""
