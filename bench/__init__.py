"""Measurements, run by ``make bench``: whole requests over HTTP against floors and peers. Nothing here asserts."""
