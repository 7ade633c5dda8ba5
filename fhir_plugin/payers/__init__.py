"""What payers require: checklists and the dossier. Uses facts and findings and changes none of them."""
