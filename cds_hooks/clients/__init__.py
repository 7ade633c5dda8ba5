"""Who may call: the configured clients, their keys, the tokens that they sign, and what each of them may."""
