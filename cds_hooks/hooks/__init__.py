"""One call answered: gather, decide, cards."""
