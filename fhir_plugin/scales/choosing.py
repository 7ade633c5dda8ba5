"""Which instruments a form holds, by its items; its name decides only where the items leave a choice.

1. Of the items that no instrument explains yet, the instrument that explains the most is taken; of two that explain the
   same, the one that the form is named after, then the one that is there as a whole, then the shorter one. And again.
2. An instrument that is only begun counts if the form is named after it, if half of it is there, if nothing else was
   found, or if an item about suicide is among its items.
3. An instrument that the form is named after is added if all its items were answered (a PHQ-2 within a PHQ-9), or if
   answers are left whose linkIds nobody knows: then it is there and cannot be read.

``phq2phq9`` with nine items: PHQ-9 by rule 1, PHQ-2 by rule 3. ``intake`` with sixteen: PHQ-9, then GAD-7.
``phq-4``: PHQ-2 alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mappings.schema.instruments import Instruments, plain_link


class ListedItem(NamedTuple):
    """One item of a response, before its instrument is known."""

    link: str
    key: str
    """The linkId that the instruments use."""
    answered: bool


def chosen_instruments(
    items: Sequence[ListedItem],
    named: Sequence[str],
    own_links: Mapping[str, Mapping[str, int]],
    instruments: Instruments,
) -> tuple[str, ...]:
    """The ids of the instruments of a form, the one with the most items first."""
    places = _places_by_instrument(items, own_links, instruments)
    answered = {name: {place for item, place in found if item.answered} for name, found in places.items()}
    chosen = _explaining(places, named, instruments)
    if any(answered[name] for name in chosen):
        chosen = [name for name in chosen if answered[name]]
    chosen = [name for name in chosen if _counts(name, chosen, places, named, instruments)]
    for name in named:
        if name not in chosen and len(answered.get(name, ())) == len(instruments.forms[name].items):
            chosen.append(name)
    return (*chosen, *_unread(items, named, chosen, places, instruments))


_Places = dict[str, list[tuple[ListedItem, int]]]
"""The items of each instrument with their positions in it."""


def _places_by_instrument(
    items: Sequence[ListedItem], own_links: Mapping[str, Mapping[str, int]], instruments: Instruments
) -> _Places:
    places: _Places = {}
    for item in items:
        for name in instruments.links.get(item.key, ()):
            places.setdefault(name, []).append((item, instruments.forms[name].by_link[item.key]))
        for name, links in own_links.items():
            place = place_of(item, links, {})
            if place is not None and name not in instruments.links.get(item.key, ()):
                places.setdefault(name, []).append((item, place))
    return places


def place_of(item: ListedItem, own_links: Mapping[str, int], by_link: Mapping[str, int]) -> int | None:
    """The position of an item in an instrument: by the links of this form alone, else by those of any form."""
    if item.link in own_links:
        return own_links[item.link]
    if item.key in by_link:
        return by_link[item.key]
    return own_links.get(plain_link(item.link)) if own_links else None


def _explaining(places: _Places, named: Sequence[str], instruments: Instruments) -> list[str]:
    """The instruments that together explain every item that one of them has."""
    links = {name: {item.link for item, _ in found} for name, found in places.items()}
    whole = {
        name: len({place for _, place in found}) == len(instruments.forms[name].items) for name, found in places.items()
    }
    chosen: list[str] = []
    left = set().union(*links.values())
    while left:
        best = max(
            sorted(links),
            key=lambda name: (
                len(links[name] & left),
                name in named,
                whole[name],
                -len(instruments.forms[name].items),
            ),
        )
        chosen.append(best)
        left -= links[best]
    return chosen


def _counts(name: str, chosen: Sequence[str], places: _Places, named: Sequence[str], instruments: Instruments) -> bool:
    """Whether an instrument that may be incomplete is taken for one."""
    form, there = instruments.forms[name], {place for _, place in places[name]}
    asks_about_suicide = form.instrument.suicide is not None and form.instrument.suicide_place in (None, *there)
    half = 2 * len(there) >= len(form.items)
    return name in named or half or asks_about_suicide or len(chosen) == 1


def _unread(
    items: Sequence[ListedItem], named: Sequence[str], chosen: Sequence[str], places: _Places, instruments: Instruments
) -> tuple[str, ...]:
    """The instruments that the form is named after, of which no item is known."""
    explained = {item.link for found in places.values() for item, _ in found}
    unknown = sum(item.answered and item.link not in explained for item in items)
    return tuple(
        name
        for name in named
        if name not in chosen
        and name not in places
        and (not chosen or 2 * unknown >= len(instruments.forms[name].items))
    )
