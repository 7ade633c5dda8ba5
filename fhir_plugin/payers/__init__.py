"""What a payer asks for: checklists and the dossier. Rests on facts and findings and changes none of them."""
