"""De-identification of text: only words of the vocabulary and the numbers beside them are kept."""

from __future__ import annotations

import re

from mappings.schema.codes.vocabulary import Vocabulary

PLACEHOLDER = "zz"
"""Replaces each removed word, so that the distances between the others are kept."""

_TOKEN = re.compile(r"[^\W\d_][\w'’-]*|\d[\w.,:/-]*|[.,;:()/%+<>=-]|\s+")
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3}|/\d{1,2})?(?P<unit>[a-z]*)", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d")


def without_names(text: str, vocabulary: Vocabulary) -> str:
    """The text with every other word, every long number and every year replaced."""
    if vocabulary.is_drug_name(text):
        return text
    tokens = [_kept(token, vocabulary) for token in _TOKEN.findall(text)]
    places = [place for place, token in enumerate(tokens) if token.strip()]
    for here, place in enumerate(places):
        # A number on its own could identify somebody; beside a known word it is a dose or a count.
        beside = [tokens[places[other]] for other in (here - 1, here + 1) if 0 <= other < len(places)]
        if tokens[place][:1].isdigit() and not any(word[:1].isalpha() and word != PLACEHOLDER for word in beside):
            tokens[place] = PLACEHOLDER
    return "".join(tokens).strip()


def _kept(token: str, vocabulary: Vocabulary) -> str:
    if token[0].isdigit():
        match = _NUMBER.fullmatch(token.rstrip(".,:"))
        read = match is not None and (not match["unit"] or vocabulary.holds(match["unit"].lower()))
        return token if read and not _YEAR.match(token) else PLACEHOLDER
    if not token[0].isalpha():
        return " " if token.isspace() else token
    parts = re.split(r"['’-]", token.lower())
    return (
        token
        if vocabulary.holds(token.lower()) or all(vocabulary.holds(part) for part in parts if part)
        else PLACEHOLDER
    )
