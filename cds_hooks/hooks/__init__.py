"""The answer to one call: gather, decide, cards."""
