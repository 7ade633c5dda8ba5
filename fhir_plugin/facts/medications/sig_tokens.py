"""The text of a sig as tokens: words and numbers by the vocabulary of ``sig_words.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from mappings.medications import SigWord

Vocabulary = Mapping[str, tuple[SigWord, ...]]

_TOKEN = re.compile(r"\d+\s*/\s*\d+|\d+(?:\.\d+)?|\.\d+|[a-z]+(?:'[a-z]+)?|[&+/().,;:=\n-]")
_DOTTED = re.compile(r"\b(?:[a-z]\.){2,}")
_PLURAL = re.compile(r"\((?:s|es)\)")
_FRACTIONS = str.maketrans({"½": " 1/2", "¼": " 1/4", "¾": " 3/4", "–": "-", "—": "-", "×": "x"})
_PUNCTUATION = {
    "(": "open",
    ")": "close",
    ",": "comma",
    ";": "break",
    ".": "break",
    "\n": "break",
    "-": "dash",
    ":": "colon",
    "=": "equals",
}


class Token(NamedTuple):
    """A piece of a sig that has a part in the grammar."""

    kind: str
    value: float = 0.0
    name: str = ""


def tokens_of(text: str, vocabulary: Vocabulary) -> list[Token]:
    """The tokens of a text; words without a part in the grammar are passed over."""
    lower = _PLURAL.sub("", text.lower().translate(_FRACTIONS))
    words = _TOKEN.findall(_DOTTED.sub(lambda found: found.group().replace(".", ""), lower))
    tokens: list[Token] = []
    at = 0
    while at < len(words):
        token, length = _token(words, at, vocabulary)
        if token is not None and token.kind != "inert":
            tokens.append(token)
        at += length
    return _without_echo(tokens)


def _token(words: list[str], at: int, vocabulary: Vocabulary) -> tuple[Token | None, int]:
    word = words[at]
    for entry in vocabulary.get(word, ()):
        length = len(entry.words)
        if length == 1 or tuple(words[at : at + length]) == entry.words:
            return Token(entry.kind, entry.value, entry.name), length
    if word[0].isdigit() or (word[0] == "." and len(word) > 1):
        value = _value(word)
        return Token("number" if value is not None else "unknown", value or 0.0), 1
    if word in _PUNCTUATION:
        return Token(_PUNCTUATION[word]), 1
    return None, 1


def _value(word: str) -> float | None:
    if "/" not in word:
        return float(word)
    above, below = word.split("/")
    return float(above) / float(below) if float(below) else None


_ECHO = ("number", "open", "number", "close")


def _without_echo(tokens: list[Token]) -> list[Token]:
    """``2 (two) times``: a number said again in brackets is said once."""
    kept: list[Token] = []
    for token in tokens:
        kept.append(token)
        if token.kind != _ECHO[-1]:
            continue
        last = kept[-len(_ECHO) :]
        if tuple(each.kind for each in last) == _ECHO and last[0].value == last[2].value:
            del kept[-len(_ECHO) + 1 :]
    return kept


def from_verb(tokens: list[Token]) -> list[Token]:
    """Without a product label before the verb: "sertraline 50 mg tablet: take 1 tablet daily"."""
    for at, token in enumerate(tokens):
        if token.kind == "verb":
            before = {earlier.kind for earlier in tokens[:at]}
            return (
                tokens[at:] if before <= {"number", "mg", "ml", "unit", "break", "colon", "dash", "comma"} else tokens
            )
    return tokens
