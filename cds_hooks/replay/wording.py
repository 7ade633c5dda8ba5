"""What is left of a text without whom it is about: the words that our knowledge reads, and the numbers between them."""

from __future__ import annotations

import re

from mappings.schema.codes.vocabulary import Vocabulary

PLACEHOLDER = "zz"
"""Stands for each word that is left out, so that what is left keeps its distances."""

_TOKEN = re.compile(r"[^\W\d_][\w'’-]*|\d[\w.,:/-]*|[.,;:()/%+<>=-]|\s+")
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3}|/\d{1,2})?(?P<unit>[a-z]*)", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d")


def without_names(text: str, vocabulary: Vocabulary) -> str:
    """The text with every other word, every long number and every year replaced."""
    tokens = [_kept(token, vocabulary) for token in _TOKEN.findall(text)]
    places = [place for place, token in enumerate(tokens) if token.strip()]
    for here, place in enumerate(places):
        # A number by itself may be anybody's; beside a word that we read it is a dose or a count.
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
