"""Codes of terminologies and what they mean: value sets, vital signs, laboratory tests, interactions, words."""
