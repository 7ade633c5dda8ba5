"""The text of a sig as tokens: words and numbers by the vocabulary of ``sig_words.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mappings.schema.medications import SigToken, SigWord

Vocabulary = Mapping[str, tuple[SigWord, ...]]

_TOKEN = re.compile(r"\d+\s*/\s*\d+|\d+(?:\.\d+)?|\.\d+|[a-z]+(?:'[a-z]+)?|[&+/().,;:=#\n-]")
_DOTTED = re.compile(r"\b(?:[a-z]\.){2,}")
_PLURAL = re.compile(r"\((?:s|es)\)")
_DAY_LETTERS = {"m": "mon", "t": "tue", "tu": "tue", "w": "wed", "th": "thu", "f": "fri", "sa": "sat", "su": "sun"}
_LETTERED = re.compile(r"\b(?:m|tu|th|t|w|f|sa|su)(?:\s?[/,]\s?(?:m|tu|th|t|w|f|sa|su))+\b")
"""Days of the week by letters: ``M/W/F``, ``(Tu, Th)``."""
_FRACTIONS = str.maketrans({"½": " 1/2", "¼": " 1/4", "¾": " 3/4", "–": "-", "—": "-", "×": "x"})
_PUNCTUATION = {
    "(": SigToken("open"),
    ")": SigToken("close"),
    ",": SigToken("comma"),
    ";": SigToken("break"),
    ".": SigToken("break"),
    "\n": SigToken("break"),
    "-": SigToken("dash"),
    ":": SigToken("colon"),
    "=": SigToken("equals"),
}
_LARGEST = 1e6
"""A greater number is neither a dose nor a duration."""
_LABEL = frozenset(("number", "mg", "ml", "unit", "break", "colon", "dash", "comma"))
"""Kinds of the tokens that a product name and strength leave before the verb."""


def tokens_of(text: str, vocabulary: Vocabulary) -> tuple[SigToken, ...]:
    """The tokens of a text, without a product label before the verb and without words that the grammar does not use."""
    words = _words(text)
    tokens: list[SigToken] = []
    at, bracketed, labelled = 0, False, True
    while at < len(words):
        token, length = _token(words, at, vocabulary)
        at += length
        if token is None:
            continue
        kind = token.kind
        if kind == "verb" and labelled:
            tokens, labelled = [], False
        tokens.append(token)
        labelled = labelled and kind in _LABEL
        bracketed = bracketed or kind == "close"
    return tuple(_without_supply(_without_echo(tokens) if bracketed else tokens))


def _words(text: str) -> list[str]:
    lower = text.lower()
    if not lower.isascii():
        lower = lower.translate(_FRACTIONS)
    if "(" in lower:
        lower = _PLURAL.sub("", lower)
    if "." in lower:
        lower = _DOTTED.sub(lambda match: match.group().replace(".", ""), lower)
    if "/" in lower or "," in lower:
        lower = _LETTERED.sub(_days_by_letter, lower)
    return _TOKEN.findall(lower)


def _days_by_letter(match: re.Match[str]) -> str:
    return " ".join(_DAY_LETTERS[letter] for letter in re.findall("[a-z]+", match.group()))


def _token(words: list[str], at: int, vocabulary: Vocabulary) -> tuple[SigToken | None, int]:
    word = words[at]
    entries = vocabulary.get(word)
    if entries:
        for phrase, token in entries:
            length = len(phrase)
            if length == 1 or tuple(words[at : at + length]) == phrase:
                return (token if token.kind != "inert" else None), length
    first = word[0]
    if first.isdigit() or (first == "." and len(word) > 1):
        value = _value(word)
        return SigToken("number" if value is not None else "unknown", value or 0.0), 1
    return _PUNCTUATION.get(word), 1


def _value(word: str) -> float | None:
    above, _, below = word.partition("/")
    divisor = float(below) if below else 1.0
    value = float(above) / divisor if divisor else None
    return value if value is not None and value <= _LARGEST else None


_ECHO = ("number", "open", "number", "close")


def _without_echo(tokens: list[SigToken]) -> list[SigToken]:
    """Drop a number that is repeated in brackets: ``2 (two) times``."""
    kept: list[SigToken] = []
    for token in tokens:
        kept.append(token)
        if token.kind != _ECHO[-1]:
            continue
        last = kept[-len(_ECHO) :]
        if tuple(token.kind for token in last) == _ECHO and last[0].value == last[2].value:
            del kept[-len(_ECHO) + 1 :]
    return kept


_JOINTS = frozenset(("comma", "break"))
_SUPPLY = frozenset(("dispensed", "refill", "number", "unit", "ml", "comma", "break", "colon", "dash", "open", "close"))


def _without_supply(tokens: list[SigToken]) -> list[SigToken]:
    """Drop the quantity and the refills behind the sig: ``, 30 tab, 0 Refill(s)``, ``Disp 30, Rfl 1``."""
    kinds = [token.kind for token in tokens]
    at = next((at for at, kind in enumerate(kinds) if kind in ("dispensed", "refill")), 0)
    if not at:
        return tokens
    if kinds[at] == "refill" and kinds[at - 1] == "number":
        at -= 1
    while at and kinds[at - 1] in _JOINTS:
        at -= 1
        if kinds[max(at - 3, 0) : at] in (["comma", "number", "unit"], ["break", "number", "unit"]):
            at -= 3
    return tokens[:at] if _SUPPLY.issuperset(kinds[at:]) else [*tokens, SigToken("doubt")]
