"""The words of a dossier and of what is counted for a payer, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mappings.schema.base.entries import Entry, Reviewed
from mappings.schema.base.files import KNOWLEDGE, read_yaml

SectionKey = Literal[
    "gaps", "patient", "checklist", "diagnoses", "trials", "psychotherapy", "scores", "courses", "safety", "sources"
]
GapKey = Literal[
    "no_coverage", "unknown_payer", "chosen", "not_read", "unread", "dropped", "settle", "commonly", "unnamed"
]
PatientKey = Literal["name", "identifier", "record_id", "born", "payer", "plan", "member"]
VerdictKey = Literal["met", "not_met", "unknown"]


class SectionWords(Entry):
    """One section: the text above its table."""

    title: str
    lead: str = ""
    header: tuple[str, ...]
    empty: str
    """The text for a table without rows."""


class TrialWords(Entry):
    """The words of a trial in the table."""

    earlier: str
    ongoing: str
    documented: str
    dose: str
    no_dose: str
    added: str
    not_recognised: str


class DossierWords(Reviewed):
    """``dossier.yaml``."""

    counted: dict[str, str]
    """What a trials item counts, as the beginning of a sentence."""
    durations: dict[Literal["seen", "open"], str]
    """How long a trial must have lasted."""
    beyond: str
    """Why an item that no record can answer is unknown."""
    look_back: str
    """Why an item is unknown although nothing current is on the record."""
    absence: str
    """Why an item is unknown although nothing is on the record."""
    part: str
    """Why an item is unknown although its criterion found nothing."""
    contrary: str
    """Why an item is unknown although something was found."""
    expired: str
    """The note on an overdue policy review; ``{day}``."""
    generic: str
    """The date line of the generic checklist."""
    undated: str
    effective: str
    identifiers_left_out: tuple[str, ...]
    """Identifier systems that are not sent to an insurer."""
    treatments: dict[str, str]
    """Treatments for which a dossier can be created, with their names."""
    title: str
    lead: str
    basis: str
    disclaimer: str
    none: str
    """The content of an empty cell."""
    counts: str
    verdicts: dict[VerdictKey, str]
    safety: dict[VerdictKey, str]
    yes_no: dict[Literal["true", "false", "none"], str]
    gaps: dict[GapKey, str]
    sections: dict[SectionKey, SectionWords]
    patient: dict[PatientKey, str]
    trial: TrialWords


def load_dossier_words(folder: Path = KNOWLEDGE) -> DossierWords:
    """The words of the dossier."""
    return read_yaml(folder / "dossier.yaml", DossierWords)
