"""Checks of the orders that are being signed: each says ok, deviates, or unknown and why. Pure."""
