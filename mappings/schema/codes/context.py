"""Which words of a text are denied, hypothetical or about somebody else, in the manner of ConText.

A trigger denies what follows it (``no seizures``) or what precedes it (``seizures: none``) within its clause. A denial
that follows ends at a word such as ``but``, or at the next comma, unless a list goes on: ``no seizures, tics or
syncope`` denies three things, ``denies`` a whole list, ``no allergies, cerebral aneurysm`` only the first. What is
uncertain counts as not denied: a text never becomes reassuring by a doubtful reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mappings.schema.base.entries import Entry, Pattern
from mappings.schema.base.words import any_found, any_pattern, first_words, words_in_lower_case

Trigger = Annotated[str, Field(pattern=r"[a-z0-9]")]
"""At least one word, by whose absence most texts are seen to deny nothing."""


class ContextRules(Entry):
    """The triggers, as words in lower case; a space matches any white space."""

    forward: tuple[Trigger, ...]
    """Deny what follows, up to a comma; over commas only in a list that ends with ``or`` or ``nor``."""
    forward_list: tuple[Trigger, ...]
    """Deny what follows, over commas as well, as long as only short items follow."""
    forward_now: tuple[Trigger, ...]
    """As ``forward``, but deny only that it is so now (``no current``)."""
    backward: tuple[Trigger, ...]
    """Deny what precedes them, back to a comma."""
    limited: tuple[Pattern, ...]
    """Where a denial reaches only back to a time (``no seizures since 2019``), it denies nothing of the time before."""
    hypothetical: tuple[Trigger, ...]
    """Speak of what may come (``risk of``): what follows up to a comma is not stated."""
    not_a_denial: tuple[str, ...]
    """Look like a trigger and deny nothing (``no longer``, ``cannot be ruled out``)."""
    ends: tuple[str, ...]
    """End what a trigger denies (``but``)."""
    list_ends: tuple[str, ...]
    """An item of a list that begins with one of these states something of its own (``history``)."""
    list_item_words: int = Field(gt=0)
    """How many words an item of a denied list may have; a longer one is a statement of its own."""
    about_others: tuple[Pattern, ...]
    """Patterns of text about another person (``mother with``), left out."""
    whole_clause: tuple[str, ...]
    """Fragments by which a clause states nothing at all (``vaccin``)."""


_CLAUSE_ENDS = re.compile(r"[;\n]|\.\s|\.$")
_PRECEDING = re.compile(r"^\[\^[;,]+\]\*(?!\?)")
"""What a pattern begins with that takes in whatever precedes its words; it may be nothing."""
_LIST_GOES_ON = re.compile(r"\b(or|nor)\b")
_MOST_ITEMS = 50
"""Of a list that a trigger denies; what follows is not denied. Else each of many triggers looks at all the rest."""


@dataclass(frozen=True, slots=True)
class Context:
    """The rules, ready to be applied to a lower-case text."""

    always: re.Pattern[str]
    """Triggers that deny what follows, for good."""
    now: re.Pattern[str]
    """Triggers that deny that it is so now."""
    lists: frozenset[str]
    backward: re.Pattern[str]
    backward_words: re.Pattern[str]
    """The triggers of ``backward`` alone, which are found sooner than what precedes them."""
    not_backward: re.Pattern[str]
    ends: re.Pattern[str]
    limited: re.Pattern[str] | None
    about_others: re.Pattern[str] | None
    others: tuple[re.Pattern[str], ...]
    """The patterns of ``about_others`` without what precedes their words: whether one is there is found sooner."""
    whole_clause: tuple[str, ...]
    list_ends: frozenset[str]
    list_item_words: int
    first_words: frozenset[str]
    """The first word of each trigger."""

    def clauses(self, words: str) -> Iterator[tuple[str, str]]:
        """The clauses of a text: what each states of any time, and what of it is not denied for now."""
        for clause in _CLAUSE_ENDS.split(words):
            own = self._of_the_patient(clause)
            if not own.strip() or any(map(own.__contains__, self.whole_clause)):
                continue
            if self.first_words.isdisjoint(words_in_lower_case(own)):
                yield own, own
                continue
            ever = self._without(own, self.always, for_good=True)
            if self.backward_words.search(ever) and not self.not_backward.search(ever):
                ever = self.backward.sub(" ", ever)
            limited = self.limited is not None and self.limited.search(ever)
            now = self._without(ever, self.always) if limited else ever
            yield ever, self._without(now, self.now)

    def _of_the_patient(self, clause: str) -> str:
        """The clause without what is about somebody else."""
        if self.about_others and any_found(self.others, clause):
            return self.about_others.sub(" ", clause)
        return clause

    def _without(self, clause: str, triggers: re.Pattern[str], *, for_good: bool = False) -> str:
        """The clause without what the triggers deny; ``for_good``: not only since some time."""
        found = _denial(clause, triggers, 0)
        if found is None:
            return clause
        kept, at = [], 0
        stops, limits = _Ahead(self.ends, clause), _Ahead(self.limited, clause)
        backward = _Ends(self.backward_words, clause)
        while found is not None:
            end = self._denied_until(clause, found, stops)
            # Where nothing follows it, a trigger may deny what precedes it, as in ``seizures denied``.
            if not any(map(str.isalnum, clause[found.end() : end])) and found.end() in backward:
                found = _denial(clause, triggers, found.end())
                continue
            # Whether what is denied ends with, or is followed by, a time since when it is.
            limit = limits.after(found.end()) if for_good else None
            is_kept = limit is not None and limit.start() <= end
            kept.append(clause[at : end if is_kept else found.start()])
            at = end
            found = _denial(clause, triggers, at)
        return " ".join((*kept, clause[at:]))

    def _denied_until(self, clause: str, trigger: re.Match[str], stops: _Ahead) -> int:
        stop = stops.after(trigger.end())
        limit = stop.start() if stop else len(clause)
        items = clause[trigger.end() : limit].split(",", _MOST_ITEMS)
        denied = 1
        whole = " ".join(trigger.group().split()) in self.lists
        for position in range(1, min(len(items), _MOST_ITEMS)):
            words = items[position].split()
            if not words or len(words) > self.list_item_words or words[0] in self.list_ends:
                break
            if whole or _LIST_GOES_ON.search(items[position]):
                denied = position + 1
        return trigger.end() + len(",".join(items[:denied]))


class _Ahead:
    """Where a pattern is found next in a clause, asked for place after place: no stretch is searched twice."""

    def __init__(self, pattern: re.Pattern[str] | None, clause: str) -> None:
        self._clause = clause
        self._rest = pattern
        """``None`` where it is not found any more."""
        self._found: re.Match[str] | None = None

    def after(self, place: int) -> re.Match[str] | None:
        """The first match that begins there or later; no place may be before the last."""
        if self._rest and (self._found is None or self._found.start() < place):
            self._found = self._rest.search(self._clause, place)
            if self._found is None:
                self._rest = None
        return self._found


class _Ends:
    """The places at which matches of a pattern end in a clause; searched when it is first asked."""

    def __init__(self, pattern: re.Pattern[str], clause: str) -> None:
        self._pattern, self._clause = pattern, clause
        self._ends: frozenset[int] | None = None

    def __contains__(self, place: object) -> bool:
        if self._ends is None:
            self._ends = frozenset(found.end() for found in self._pattern.finditer(self._clause))
        return place in self._ends


def make_context(rules: ContextRules) -> Context:
    """The rules as patterns."""
    not_a_denial, backward = _any_of(rules.not_a_denial), _whole(_any_of(rules.backward))
    return Context(
        always=_triggers((*rules.forward, *rules.forward_list, *rules.hypothetical), not_a_denial, rules.forward_now),
        now=_triggers(rules.forward_now, not_a_denial),
        lists=frozenset(rules.forward_list),
        # Tied to where it begins: else the rest of a long text is looked through again from each of its letters.
        backward=re.compile(rf"(?:^|(?<=,))[^,]*{backward}"),
        backward_words=re.compile(backward),
        not_backward=re.compile(_whole(not_a_denial)),
        ends=re.compile(_whole(_any_of(rules.ends))),
        limited=any_pattern(rules.limited),
        about_others=any_pattern(rules.about_others),
        others=tuple(re.compile(_PRECEDING.sub("", pattern)) for pattern in rules.about_others),
        whole_clause=rules.whole_clause,
        list_ends=frozenset(rules.list_ends),
        list_item_words=rules.list_item_words,
        first_words=first_words(
            (*rules.forward, *rules.forward_list, *rules.forward_now, *rules.backward, *rules.hypothetical)
        ),
    )


_DENIAL = "denial"


def _denial(clause: str, triggers: re.Pattern[str], at: int) -> re.Match[str] | None:
    """The next trigger that denies something; longer phrases that only look like one are passed over."""
    return next((found for found in triggers.finditer(clause, at) if found[_DENIAL]), None)


def _triggers(words: Iterable[str], *others: str | Iterable[str]) -> re.Pattern[str]:
    """Any of the words as ``denial``, or one of the others, which are longer and deny nothing here."""
    passed = "|".join(other if isinstance(other, str) else _any_of(other) for other in others)
    return re.compile(_whole(rf"(?:{passed})|(?P<{_DENIAL}>{_any_of(words)})"))


def _whole(pattern: str) -> str:
    """The pattern where it does not begin or end within a word; one that begins with a sign may follow a word."""
    return rf"(?:(?<!\w)|(?!\w))(?:{pattern})(?!\w)"


def _escaped(word: str) -> str:
    return r"\s+".join(re.escape(piece) for piece in word.split())


def _any_of(words: Iterable[str]) -> str:
    """The words as one pattern, the longest first."""
    return "|".join(_escaped(word) for word in sorted(words, key=len, reverse=True)) or r"(?!)"
