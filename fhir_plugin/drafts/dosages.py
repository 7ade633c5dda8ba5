"""The dosage of a draft, as R4, STU3 and DSTU2 place it and as clients really write it.

A dosage as R4 shapes it is taken as it is. Of any other every member is read by itself: one that cannot be read is
named and spoils no other, and a dosage that is only a text is that text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Raw

from fhir_plugin.drafts.forgiving import MemberPath, read_forgivingly
from fhir_plugin.drafts.members import NOTHING, read, text
from fhir_plugin.record.datatypes import Dosage, DoseAndRate, Quantity, Range, Ratio, Timing

MEMBER = "dosageInstruction"


class DraftDosages(NamedTuple):
    """The dosages of one draft."""

    dosages: tuple[Dosage, ...] = ()
    """One for each element other than ``null``, whether it could be read or not."""
    unread: tuple[MemberPath, ...] = ()
    """Paths of members that are there and cannot be read."""
    as_shaped: bool = True
    """Whether every element has the shape of R4."""


class _DosageOfAnyVersion(Dosage, frozen=True):
    """A dosage with the members of STU3 and DSTU2 beside those of R4."""

    dose_quantity: Quantity | None = None
    dose_simple_quantity: Quantity | None = None
    dose_range: Range | None = None
    rate_quantity: Quantity | None = None
    rate_simple_quantity: Quantity | None = None
    rate_ratio: Ratio | None = None


def read_dosages(raw: Raw) -> DraftDosages:
    """The dosages of the member of a draft: a list, one alone, or a text."""
    if raw is NOTHING:
        return DraftDosages(as_shaped=False)
    listed = read(raw, tuple[Raw, ...])
    elements = (raw,) if listed is None else listed
    read_elements = [_element(element) for element in elements if bytes(element) != bytes(NOTHING)]
    return DraftDosages(
        tuple(dosage for dosage, _, _ in read_elements),
        tuple(path for _, paths, _ in read_elements for path in paths),
        listed is not None
        and len(read_elements) == len(listed)
        and all(as_shaped for _, _, as_shaped in read_elements),
    )


def _element(raw: Raw) -> tuple[Dosage, tuple[MemberPath, ...], bool]:
    if words := text(raw):
        return Dosage(text=words), (), False
    strict = read(raw, _DosageOfAnyVersion)
    if strict is not None and not tuple(_elder(strict)):
        return _of_r4(strict), (), True
    dosage, unread = read_forgivingly(raw, _DosageOfAnyVersion, (MEMBER,))
    return _of_r4(dosage or _DosageOfAnyVersion()), unread, False


def _of_r4(dosage: _DosageOfAnyVersion) -> Dosage:
    members = {name: getattr(dosage, name) for name in Dosage.__struct_fields__}
    members["dose_and_rate"] = (*dosage.dose_and_rate, *_elder(dosage))
    return Dosage(**members)


def _elder(dosage: _DosageOfAnyVersion) -> Iterator[DoseAndRate]:
    """The dose and the rate in the members of STU3 and DSTU2."""
    dose = dosage.dose_quantity or dosage.dose_simple_quantity
    rate = dosage.rate_quantity or dosage.rate_simple_quantity
    if dose or dosage.dose_range or rate or dosage.rate_ratio:
        yield DoseAndRate(
            dose_quantity=dose, dose_range=dosage.dose_range, rate_quantity=rate, rate_ratio=dosage.rate_ratio
        )


def read_timing(raw: Raw) -> tuple[Timing | None, tuple[MemberPath, ...]]:
    """When a service takes place, as far as it can be read."""
    return read_forgivingly(raw, Timing, ("occurrenceTiming",))


def read_quantity(raw: Raw) -> tuple[Quantity | None, tuple[MemberPath, ...]]:
    """How much of a service is ordered, as far as it can be read."""
    return read_forgivingly(raw, Quantity, ("quantityQuantity",))
