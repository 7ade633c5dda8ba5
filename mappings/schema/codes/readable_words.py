"""The words in phrases and patterns of the knowledge, and the beginnings of words that they leave open."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_ESCAPE = re.compile(r"\\[bBWsSdDn]|\(\?<?[=!]|\(\?P<\w+>|\{\w+\}")
_OPEN = re.compile(r"([a-z]+)\\w[*+]")
_OPTIONAL = re.compile(r"[a-z]+\?")
_ALTERNATIVES = re.compile(r"([a-z]+)\(([a-z]+(?:\|[a-z]+)*)\)")
_WORD = re.compile(r"[a-z0-9]+(?:['/&.-][a-z0-9]+)*")
_PART = re.compile(r"[a-z]+")
_PAIR = re.compile(r"(?=\b([a-z]+)[ /-]+([a-z]+)\b)")
_SHORTEST_STEM = 4


def words_in(texts: Iterable[str]) -> set[str]:
    """The words of plain texts, in lower case; of ``c-spine`` and ``don't`` the whole and its parts."""
    whole = {word for text in texts for word in _WORD.findall(text.lower())}
    return whole | {part for word in whole for part in _PART.findall(word)}


def last_words(phrases: Iterable[str]) -> set[str]:
    """The last word of each phrase that is searched for inside a text, so that a longer word may end it."""
    words = (_PART.findall(phrase.lower()) for phrase in phrases)
    return {found[-1] for found in words if found and len(found[-1]) >= _SHORTEST_STEM}


def pattern_words(patterns: Iterable[str]) -> set[str]:
    """The words that patterns spell out, with and without an optional last letter or ending."""
    return {word for pattern in patterns for word in _spelt(pattern) if len(word) > 1}


def pattern_stems(patterns: Iterable[str]) -> set[str]:
    """The beginnings of words behind which a pattern takes any letters."""
    found = (stem for pattern in patterns for stem in _OPEN.findall(_plain(pattern)))
    return {stem for stem in found if len(stem) >= _SHORTEST_STEM}


def pairs_in(texts: Iterable[str]) -> set[tuple[str, str]]:
    """Words that stand side by side in a phrase or a pattern."""
    return {pair for text in texts for pair in _PAIR.findall(_plain(text))}


def _plain(pattern: str) -> str:
    return _ESCAPE.sub(" ", pattern.replace("(?:", "(")).lower()


def _spelt(pattern: str) -> Iterator[str]:
    plain = _plain(pattern)
    without_endings = _ALTERNATIVES.sub(r"\1 ", plain)
    yield from _WORD.findall(without_endings)
    yield from _PART.findall(without_endings)
    yield from (word[:-2] for word in _OPTIONAL.findall(plain))
    for stem, endings in _ALTERNATIVES.findall(plain):
        yield from (f"{stem}{ending}" for ending in endings.split("|"))
