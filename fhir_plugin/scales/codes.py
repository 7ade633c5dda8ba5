"""The codes of an instrument, its items, options and total: LOINC if known, else our own."""

from __future__ import annotations

from mappings.schema.instruments import LOCAL_CODES, link_id
from mappings.schema.instruments.model import LOINC, Instrument, InstrumentItem, Option


def item_link(instrument: Instrument, item: InstrumentItem) -> str:
    """The linkId of an item in our own Questionnaire."""
    return link_id(instrument.link_styles[0], item.number, item.code)


def item_coding(instrument: Instrument, item: InstrumentItem) -> dict[str, str]:
    """The code of an item: LOINC if known, else our own."""
    if item.code:
        return {"system": LOINC, "code": item.code}
    return {"system": LOCAL_CODES, "code": item_link(instrument, item)}


def panel_coding(instrument: Instrument) -> dict[str, str]:
    """The code of the instrument as a whole."""
    if instrument.loinc and instrument.loinc.panel:
        return {"system": LOINC, "code": instrument.loinc.panel}
    return {"system": LOCAL_CODES, "code": instrument.id}


def total_coding(instrument: Instrument) -> dict[str, str]:
    """The code of the total, or of the risk level."""
    if instrument.loinc:
        return {"system": LOINC, "code": instrument.loinc.total}
    return {"system": LOCAL_CODES, "code": f"{instrument.id}-total"}


def option_coding(option: Option) -> dict[str, str]:
    """An option as a Coding: its LOINC code, else its words."""
    coding = (
        {"system": LOINC, "code": option.code} if option.code else {"system": LOCAL_CODES, "code": str(option.value)}
    )
    return coding | ({"display": option.display} if option.display else {})
