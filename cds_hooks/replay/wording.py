"""De-identification of text: words that the knowledge reads and that are no names are kept, and numbers beside them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from cds_hooks.replay.text_tokens import TextToken, TextTokens, TokenKind
from mappings.schema.codes.vocabulary import Vocabulary

_AGE = re.compile(
    r"(?P<led>\bag(?:e|ed)\W{0,3}(?:of )?)?\b(?P<age>\d{2,3})(?P<unit>[ -]?(?:years?|yrs?|y/?o|y\.o|y|th|st|nd|rd)\b)?",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_JOINTS = frozenset("-/'()")
"""Signs across which two words still belong together."""
_NOTHING: frozenset[str] = frozenset()
_COMMA, _LISTING = frozenset(","), frozenset({"and", "or"})
"""What stands between the members of a list: ``Monday, Wednesday and Friday``."""
_NUMBER_JOINTS = _JOINTS | frozenset(":=+")
_DATE_JOINTS = _JOINTS | frozenset(".")
_IN_DATES = frozenset({"of", "the", "st", "nd", "rd", "th"})
_NOT_A_COUNT = re.compile(r"0\d+|\d{4}")
"""A number that is no measure without a unit: of a house, a room, a telephone, a time."""
_PIECE_OF_A_NUMBER = re.compile(r"\d{3,}")
_UNSEEN = frozenset({"Cf", "Mn", "Me"})
"""Characters that have no place of their own: what they divide or adorn is one word."""


class TextRedaction:
    """De-identifies texts; made once, because its pattern is long."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._rules = vocabulary.rules
        self._tokens = TextTokens(vocabulary)
        self._oldest = int(vocabulary.rules.oldest.value)

    def without_names(self, text: str) -> str:
        """The text with every other word, every long number and every year replaced."""
        text = _as_seen(text)
        if self._vocabulary.is_known_text(text):
            return text
        tokens = self._tokens.of(_AGE.sub(self._capped, text))
        said = [token for token in tokens if token.kind is not TokenKind.SPACE]
        words = [token.was for token in said if token.is_word]
        shouted = len(words) > 1 and all(word.isupper() for word in words)
        self._remove_after_titles(said)
        for place, token in enumerate(said):
            if token.kind is TokenKind.DOUBTED and self._may_be_a_name(said, place, shouted=shouted):
                token.remove()
        for place, token in enumerate(said):
            if token.kind is TokenKind.NUMBER and not self._is_measure(said, place):
                token.remove()
        return "".join(token.text for token in tokens).strip()

    def _capped(self, match: re.Match[str]) -> str:
        """An age so high that it points to a person, as the highest that is kept."""
        if int(match["age"]) < self._oldest or not (match["led"] or match["unit"]):
            return match[0]
        return f"{match['led'] or ''}{self._oldest}+{match['unit'] or ''}"

    def _remove_after_titles(self, said: list[TextToken]) -> None:
        for place, token in enumerate(said):
            if token.was in self._rules.titles and not self._is_form(said, place):
                token.remove()
                self._remove_name(said, place + 1)

    def _is_form(self, said: list[TextToken], place: int) -> bool:
        """Whether it is a unit (``24 Hr``), or ``DR`` stands for delayed release: behind a word, before a unit."""
        if place and said[place - 1].kind is TokenKind.NUMBER and said[place].base in self._vocabulary.units:
            return True
        before, after = _next_word(said, place, -1), _next_word(said, place, 1)
        return (
            before is not None
            and after is not None
            and before.kind is TokenKind.KEPT
            and after.kind is TokenKind.KEPT
            and after.base in self._vocabulary.units
        )

    def _remove_name(self, said: list[TextToken], place: int) -> None:
        """Remove the name that begins behind a title: over initials and particles to its first whole word."""
        while place < len(said):
            token = said[place]
            place += 1
            if not token.is_word:
                if token.text not in _JOINTS and token.text != ".":
                    return
                continue
            if token.base in self._rules.title_parts:
                continue
            capitalised = token.is_capitalised
            if capitalised or token.kind is TokenKind.DOUBTED:
                token.remove()
            if token.base not in self._rules.particles and len(token.base.strip(".")) > 1:
                if capitalised:
                    _remove_joined(said, place, token.run)
                return

    def _may_be_a_name(self, said: list[TextToken], place: int, *, shouted: bool) -> bool:
        """``shouted``: several words, all in capitals, so that capitals tell an abbreviation from no name."""
        token = said[place]
        if self._is_in_phrase(said, place):
            return False
        abbreviated = token.was.isupper() and not shouted and token.base in self._vocabulary.abbreviations
        if token.is_capitalised and not abbreviated:
            return True
        return any(
            other is not None and other.kind is TokenKind.UNKNOWN and other.is_capitalised
            for other in (_next_word(said, place, -1), _next_word(said, place, 1))
        )

    def _is_in_phrase(self, said: list[TextToken], place: int) -> bool:
        """Whether the word and one beside it stand so in a phrase of the knowledge, or it is listed with its kind."""
        base, known, rules = said[place].base, self._vocabulary, self._rules
        if len(said) == 1:
            return base in rules.alone
        before, after = _neighbour(said, place, -1), _neighbour(said, place, 1)
        if (before and known.go_together(before.base, base)) or (after and known.go_together(base, after.base)):
            return True
        listed = (_neighbour(said, place, step, joints=_COMMA, pass_over=_LISTING) for step in (-1, 1))
        return any(
            other is not None and any(base in kind and other.base in kind for kind in rules.lists) for other in listed
        )

    def _is_measure(self, said: list[TextToken], place: int) -> bool:
        """Whether a number stands beside a word that is kept; alone it could identify somebody, and so could a year."""
        token = said[place]
        if self._is_of_a_date(said, place):
            return False
        if token.text[-1:].isalpha():
            return True  # its unit is joined to it
        after = _neighbour(said, place, 1, joints=_NUMBER_JOINTS)
        if after is not None and after.kind is TokenKind.KEPT and after.base in self._vocabulary.units:
            return True
        if _YEAR.match(token.text) or _NOT_A_COUNT.fullmatch(token.text) or _goes_on(said, place):
            return False
        before = _neighbour(said, place, -1, joints=_NUMBER_JOINTS)
        return any(other is not None and other.kind in (TokenKind.KEPT, TokenKind.DOUBTED) for other in (before, after))

    def _is_of_a_date(self, said: list[TextToken], place: int) -> bool:
        """Whether a number is the day of a month: ``July 3rd``, ``3rd of July``."""
        beside = (_neighbour(said, place, step, joints=_DATE_JOINTS, pass_over=_IN_DATES) for step in (-1, 1))
        return any(other is not None and other.base in self._rules.months for other in beside)


def _as_seen(text: str) -> str:
    """The text in composed characters, without those that nobody sees: they could divide a name into words."""
    text = unicodedata.normalize("NFC", text)
    if text.isascii():
        return text
    return "".join(character for character in text if unicodedata.category(character) not in _UNSEEN)


def _goes_on(said: list[TextToken], place: int) -> bool:
    """Whether three digits or more are followed or led by as many: they are pieces of one number."""
    beside = (_neighbour(said, place, step, joints=_NUMBER_JOINTS) for step in (-1, 1))
    return _PIECE_OF_A_NUMBER.fullmatch(said[place].text) is not None and any(
        other is not None and _PIECE_OF_A_NUMBER.match(other.was) is not None for other in beside
    )


def _remove_joined(said: list[TextToken], place: int, run: int) -> None:
    while place < len(said) and said[place].run == run:
        if said[place].is_word:
            said[place].remove()
        place += 1


def _beside(said: list[TextToken], place: int, step: int) -> Iterator[TextToken]:
    place += step
    while 0 <= place < len(said):
        yield said[place]
        place += step


def _neighbour(
    said: list[TextToken],
    place: int,
    step: int,
    *,
    joints: frozenset[str] = _JOINTS,
    pass_over: frozenset[str] = _NOTHING,
) -> TextToken | None:
    """The next word or number on one side, with no more than joining signs and what is passed over between."""
    for token in _beside(said, place, step):
        if token.kind is TokenKind.SIGN:
            if token.text not in joints:
                return None
        elif token.base not in pass_over:
            return token
    return None


def _next_word(said: list[TextToken], place: int, step: int) -> TextToken | None:
    """The next word on one side, over signs that do not end a sentence."""
    for token in _beside(said, place, step):
        if token.is_word:
            return token
        if token.kind is TokenKind.NUMBER or token.text in ".;":
            return None
    return None
