"""A text as words, numbers and signs, each word with what the knowledge knows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from mappings.schema.codes.vocabulary import Vocabulary

PLACEHOLDER = "zz"
"""Replaces each removed word, so that the distances between the others are kept."""

_LETTERS = r"[^\W\d_]"
_DOTTED = rf"(?:{_LETTERS}\.){{2,}}"
_SLASHED = rf"{_LETTERS}{{1,2}}(?:/{_LETTERS}{{1,2}})+(?!\w)"
_NUMERIC = r"\d[\w.,:/'-]*"
_JOINED = r"[^\W\d][\w']*(?:-[\w']+)*"
_ADDRESS = r"[\w.+-]{1,64}@[^\W\d][\w.-]*\.[\w.-]+|\w{1,20}://\S+|www\.\S+"
"""Of mail or of a page. Its beginning is bounded, so that the work grows with the text and no faster."""
_UNREAD = r"(?<=\w)[^\w\s](?=\w)"
"""A sign between two words that nothing reads: left out, it would make one word of them."""
_SIGN = r"[.,;:()/%+<>=&#-]"
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3})?")
_MEASURED = re.compile(rf"({_NUMBER.pattern})([a-z]+)", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-zß-ÿ])(?=[A-Z])")
_REST = 2
"""Letters of an unknown word that are not shown at least."""
_POSSESSIVE = re.compile(r"'s?$")
_TYPOGRAPHY = str.maketrans({"’": "'", "\u2010": "-", "\u2011": "-", "–": "-", "—": "-", "×": "x",
                             "½": " 1/2", "¼": " 1/4", "¾": " 3/4"})  # fmt: skip


class TokenKind(Enum):
    """What a token is."""

    KEPT = auto()
    """A word that the knowledge reads."""
    DOUBTED = auto()
    """Such a word that may also be a name."""
    UNKNOWN = auto()
    """Any other word, and what letters and digits form together."""
    NUMBER = auto()
    SIGN = auto()
    SPACE = auto()


@dataclass(slots=True)
class TextToken:
    """One word, number, sign or space."""

    text: str
    kind: TokenKind
    run: int
    """The same number for the words that hyphens join."""
    was: str = ""
    """The word before it was replaced."""

    @property
    def is_word(self) -> bool:
        return self.kind in (TokenKind.KEPT, TokenKind.DOUBTED, TokenKind.UNKNOWN)

    @property
    def is_capitalised(self) -> bool:
        """Whether the word began with a capital, also where it is replaced by now."""
        return self.was[:1].isupper()

    @property
    def base(self) -> str:
        """The word as phrases have it; every number is ``#``."""
        return "#" if self.kind is TokenKind.NUMBER else _POSSESSIVE.sub("", self.was.lower())

    def remove(self) -> None:
        self.text, self.kind = PLACEHOLDER, TokenKind.UNKNOWN


class TextTokens:
    """Takes texts apart."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        shapes = "|".join(f"(?:{shape})" for shape in vocabulary.rules.shapes)
        self._pattern = re.compile(
            rf"(?P<address>{_ADDRESS})|(?P<shape>(?<!\w)(?:{shapes})(?!\w)(?![-/.]\d\d))|(?P<dotted>(?<!\w){_DOTTED})"
            rf"|(?P<slashed>(?<!\w){_SLASHED})|(?P<numeric>{_NUMERIC})|(?P<joined>{_JOINED})|(?P<sign>{_SIGN})|(?P<space>\s+|{_UNREAD})",
            re.IGNORECASE,
        )

    def of(self, text: str) -> list[TextToken]:
        """The tokens of a text; a sign that nothing reads is left out."""
        tokens: list[TextToken] = []
        for run, match in enumerate(self._pattern.finditer(text.translate(_TYPOGRAPHY))):
            tokens += getattr(self, f"_{match.lastgroup}")(match[0], run)
        return tokens

    def _address(self, text: str, run: int) -> Iterator[TextToken]:
        yield TextToken(PLACEHOLDER, TokenKind.UNKNOWN, run, text)

    def _shape(self, text: str, run: int) -> Iterator[TextToken]:
        yield TextToken(text, TokenKind.NUMBER if text[0].isdigit() else TokenKind.KEPT, run, text)

    def _sign(self, text: str, run: int) -> Iterator[TextToken]:
        yield TextToken(text, TokenKind.SIGN, run)

    def _space(self, _: str, run: int) -> Iterator[TextToken]:
        yield TextToken(" ", TokenKind.SPACE, run)

    def _dotted(self, text: str, run: int) -> Iterator[TextToken]:
        read = text.replace(".", "").lower() in self._vocabulary.words
        yield TextToken(text if read else PLACEHOLDER, TokenKind.KEPT if read else TokenKind.UNKNOWN, run, text)

    def _slashed(self, text: str, run: int) -> Iterator[TextToken]:
        if text.lower() in self._vocabulary.words:
            yield TextToken(text, TokenKind.KEPT, run, text)
            return
        for number, part in enumerate(text.split("/")):
            if number:
                yield TextToken("/", TokenKind.SIGN, run)
            yield self._word(part, run)

    def _numeric(self, text: str, run: int) -> Iterator[TextToken]:
        body = text.rstrip(".,:/'-")
        first, _, rest = body.partition("-")
        if rest and all(part.isalpha() for part in rest.split("-")) and _NUMBER.fullmatch(first):
            yield TextToken(first, TokenKind.NUMBER, run, first)
            yield TextToken("-", TokenKind.SIGN, run)
            yield from self._joined(rest, run)
        else:
            yield self._number(body, run)
        yield from (TextToken(sign, TokenKind.SIGN, run) for sign in text[len(body) :] if sign != "'")

    def _number(self, text: str, run: int) -> TextToken:
        above, _, below = text.partition("/")
        measured = _MEASURED.fullmatch(above)
        units = self._vocabulary.units
        read = _NUMBER.fullmatch(above) or (measured is not None and measured[2].lower() in units)
        if below and read:
            measured = _MEASURED.fullmatch(below)
            read = below.lower() in units or (measured is not None and measured[2].lower() in units)
        return TextToken(text if read else PLACEHOLDER, TokenKind.NUMBER if read else TokenKind.UNKNOWN, run, text)

    def _joined(self, text: str, run: int) -> Iterator[TextToken]:
        if text.lower() in self._vocabulary.words or "-" not in text:
            yield self._word(text, run)
            return
        words = [self._word(part, run) for part in text.split("-") if part]
        if any(word.kind is TokenKind.UNKNOWN for word in words):
            for word in words:
                if word.kind is TokenKind.DOUBTED:
                    word.remove()
        for number, word in enumerate(words):
            if number:
                yield TextToken("-", TokenKind.SIGN, run)
            yield word

    def _word(self, text: str, run: int) -> TextToken:
        """One word without hyphens; what digits, underscores or capitals join is kept only if each part is read."""
        word = text.rstrip("'")
        kind = self._kind(word)
        return TextToken(word if kind is not TokenKind.UNKNOWN else self._sequence_in(word), kind, run, word)

    def _sequence_in(self, word: str) -> str:
        """Of an unknown word, the letters that make it look like a drug that matters, or the placeholder."""
        lower = word.lower()
        found = (each for each in self._vocabulary.sequences if each in lower and len(each) + _REST <= len(lower))
        return next(found, PLACEHOLDER)

    def _kind(self, word: str) -> TokenKind:
        lower, known = word.lower(), self._vocabulary
        if not known.holds(lower):
            lower = _POSSESSIVE.sub("", lower)
        if known.holds(lower):
            return TokenKind.KEPT if known.is_plain(lower) and len(lower) > 1 else TokenKind.DOUBTED
        if "'" in word or any(letter.isdigit() for letter in word):
            return TokenKind.UNKNOWN
        parts = [part for piece in word.split("_") for part in _CAMEL.split(piece) if part]
        read = len(parts) > 1 and all(known.is_plain(part.lower()) and len(part) > 1 for part in parts)
        return TokenKind.KEPT if read else TokenKind.UNKNOWN
