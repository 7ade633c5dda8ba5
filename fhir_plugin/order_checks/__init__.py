"""Checks of the orders that are being signed: ok, deviates, or unknown with the reason. Pure."""
