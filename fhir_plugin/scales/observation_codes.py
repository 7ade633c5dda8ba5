"""Search codes of Observations with scores."""

from __future__ import annotations

from mappings.schema.instruments import Instruments


def observation_codes(instruments: Instruments) -> tuple[str, ...]:
    """The codes to search for Observations with scores: totals, panels and single items.

    A code of another system than LOINC and our own is written with it, as ``system|code``.
    """
    codes: set[str] = set()
    for form in instruments.forms.values():
        codes |= {item.code for item in form.instrument.items if item.code}
        codes |= {f"{other.system}|{other.code}" for other in form.instrument.other_totals}
        if form.instrument.loinc:
            codes |= {form.instrument.loinc.total, *filter(None, [form.instrument.loinc.panel])}
        else:
            codes.add(f"{form.instrument.id}-total")
    return tuple(sorted(codes))
