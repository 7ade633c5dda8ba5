"""Codes of terminologies and what they mean: value sets, vital signs, laboratory tests, interactions, words. May know
medications; no criterion and no protocol.
"""
