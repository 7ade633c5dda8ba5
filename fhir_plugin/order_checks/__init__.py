"""Checks of the orders that are being signed: ok, deviates, or unknown with the reason. May know decisions and drafts;
no network and no card.
"""
