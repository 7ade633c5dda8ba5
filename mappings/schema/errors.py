"""The error of a wrong knowledge file, importable without reading or modelling any."""

from __future__ import annotations


class KnowledgeError(Exception):
    """A knowledge file is wrong. The message names the file and the key; nothing starts until it is mended."""
