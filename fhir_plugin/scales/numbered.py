"""Items that are known only by their number, in a form that is named after the instrument.

``q1`` to ``q9`` or ``matrix.q1`` to ``matrix.q9`` in a form named ``PHQ-9`` are its nine items: one way of writing,
every number of the instrument and no other. One number missing or too many, two such rows, or the name of something
else before the number (``gad-1`` in a form named ``phq2-gad2``), and the numbers prove nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fhir_plugin.scales.choosing import ListedItem
from mappings.schema.instruments import Instruments, PreparedInstrument, plain_link

_NUMBER_AT_END = re.compile(r"(?:^|(.*)-)(\d+)$")


def numbered_items(
    items: Sequence[ListedItem], named: Sequence[str], instruments: Instruments
) -> Mapping[str, Mapping[str, int]]:
    """Item positions by linkId, for each instrument that the form is named after and whose numbers are all there."""
    rows: dict[str, dict[int, str]] = {}
    for item in items if named else ():
        found = _NUMBER_AT_END.match(plain_link(item.link)) if item.key not in instruments.links else None
        if found:
            rows.setdefault(found[1] or "", {})[int(found[2])] = item.link
    links: dict[str, Mapping[str, int]] = {}
    for name in named if rows else ():
        form = instruments.forms[name]
        words = instruments.words_before_a_number | _words(*form.instrument.link_names)
        placed = [_positions(numbers, form) for before, numbers in rows.items() if _words(before) <= words]
        if len(complete := [positions for positions in placed if positions]) == 1:
            links[name] = complete[0]
    return links


def _words(*texts: str) -> frozenset[str]:
    return frozenset(part for text in texts for part in plain_link(text).split("-") if part.isalpha())


def _positions(links: Mapping[int, str], form: PreparedInstrument) -> Mapping[str, int]:
    """The position of each linkId; empty unless the numbers are exactly those of the form."""
    if not all(item.number.isdecimal() for item in form.items):
        return {}
    places = {int(item.number): place for place, item in enumerate(form.items)}
    more = {int(found[2]) for link in form.extra if (found := _NUMBER_AT_END.match(plain_link(link)))}
    if not places.keys() <= links.keys() <= places.keys() | more:
        return {}
    return {links[number]: place for number, place in places.items()}
