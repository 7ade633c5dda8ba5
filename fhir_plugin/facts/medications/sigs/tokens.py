"""The text of a sig as tokens: words and numbers by the vocabulary of ``sig_words.yaml``.

A sig falls into numbers and the words between them. What such a part means does not depend on its neighbours, because
no phrase of the vocabulary has a number in it; and while sigs differ, their parts repeat. So each part is read once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from mappings.schema.base.kept import keep
from mappings.schema.medications import Medications, SigToken

_NUMBER = re.compile(r"([.\d](?:(?<=\.)\d+|(?<=\d)\d*(?:\s*/\s*\d+|\.\d+)?))")
"""``12``, ``1.5``, ``.5``, ``1 / 2``. It begins with a class of letters, so the search skips what is no number."""
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[&+/().,;:=#\n-]")
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
_MAX_CACHED_PARTS = 4096
_MAX_PART_LENGTH = 128
"""Characters; a longer part is read each time."""


def tokens_of(text: str, medications: Medications) -> tuple[SigToken, ...]:
    """The tokens of a text, without a product label before the verb and without words that the grammar does not use."""
    kept = _kept_parts(medications)
    tokens: list[SigToken] = []
    for part in _NUMBER.split(_plain(text)):
        read = kept.get(part)
        tokens += _read_part(part, medications, kept) if read is None else read
    kinds = [token.kind for token in tokens]
    at = kinds.index("verb") if "verb" in kinds else 0
    if at and _LABEL.issuperset(kinds[:at]):
        del tokens[:at], kinds[:at]
    if "close" in kinds:
        _drop_echoes(tokens, kinds)
    if "dispensed" in kinds or "refill" in kinds:
        tokens = _without_supply(tokens, kinds)
    return tuple(tokens)


@lru_cache(maxsize=8)
def _kept_parts(_medications: Medications) -> dict[str, tuple[SigToken, ...]]:
    """The tokens of parts of sigs, cached across records."""
    return {}


def clear_part_cache() -> None:
    """Clear the cache, so that the next sig is read word by word."""
    _kept_parts.cache_clear()


def _read_part(part: str, medications: Medications, kept: dict[str, tuple[SigToken, ...]]) -> tuple[SigToken, ...]:
    """The tokens of a number, or of the words between two numbers; a short one is kept."""
    tokens = (_number(part),) if _NUMBER.fullmatch(part) else tuple(_tokens(_WORD.findall(part), medications))
    if len(part) <= _MAX_PART_LENGTH:
        keep(kept, part, tokens, _MAX_CACHED_PARTS)
    return tokens


def _plain(text: str) -> str:
    lower = text.lower()
    if not lower.isascii():
        lower = lower.translate(_FRACTIONS)
    if "(" in lower:
        lower = _PLURAL.sub("", lower)
    if "." in lower:
        lower = _DOTTED.sub(lambda match: match.group().replace(".", ""), lower)
    if "/" in lower or "," in lower:
        lower = _LETTERED.sub(_days_by_letter, lower)
    return lower


def _days_by_letter(match: re.Match[str]) -> str:
    return " ".join(_DAY_LETTERS[letter] for letter in re.findall("[a-z]+", match.group()))


def _number(text: str) -> SigToken:
    above, _, below = text.partition("/")
    divisor = float(below) if below else 1.0
    if not divisor or float(above) / divisor > _LARGEST:
        return SigToken("unknown")
    return SigToken("number", float(above) / divisor)


def _tokens(words: list[str], medications: Medications) -> Iterator[SigToken]:
    at = 0
    while at < len(words):
        token, length = _token(words, at, medications)
        if token is not None:
            yield token
        at += length


def _token(words: list[str], at: int, medications: Medications) -> tuple[SigToken | None, int]:
    """The longest phrase that begins here, or the sign, and how many words it has; ``None`` where it says nothing."""
    for phrase, token in medications.sig_words.get(words[at], ()):
        if tuple(words[at : at + len(phrase)]) == phrase:
            return (token if token.kind != "inert" else None), len(phrase)
    return _PUNCTUATION.get(words[at]), 1


_ECHO = ["number", "open", "number", "close"]


def _drop_echoes(tokens: list[SigToken], kinds: list[str]) -> None:
    """Drop each number that is repeated in brackets: ``2 (two) times``."""
    at = 0
    while "close" in kinds[at:]:
        at = kinds.index("close", at) + 1
        begun = at - len(_ECHO)
        if begun >= 0 and kinds[begun:at] == _ECHO and tokens[begun].value == tokens[begun + 2].value:
            del tokens[begun + 1 : at], kinds[begun + 1 : at]
            at = begun + 1


_JOINTS = frozenset(("comma", "break"))
_SUPPLY = frozenset(("dispensed", "refill", "number", "unit", "ml", "comma", "break", "colon", "dash", "open", "close"))


def _without_supply(tokens: list[SigToken], kinds: list[str]) -> list[SigToken]:
    """Drop the quantity and the refills behind the sig: ``, 30 tab, 0 Refill(s)``, ``Disp 30, Rfl 1``."""
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
