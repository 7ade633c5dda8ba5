"""What payers require: checklists and the dossier. Uses facts and findings, changes none of them; no network."""
