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
    """One section: what stands above its table."""

    title: str
    lead: str = ""
    header: tuple[str, ...]
    empty: str
    """What is said where the table has no row."""


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
    """What an item about trials counts, as the beginning of a sentence."""
    durations: dict[Literal["seen", "open"], str]
    """How long a trial must have lasted."""
    beyond: str
    """Why an item is unknown that no record answers."""
    look_back: str
    """Why an item is unknown although nothing current is on the record."""
    absence: str
    """Why an item is unknown although nothing is on the record."""
    part: str
    """Why an item is unknown although what is looked for was not found."""
    contrary: str
    """Why an item is unknown although something was found."""
    expired: str
    """That a policy was to be reviewed before today; ``{day}``."""
    generic: str
    """How the checklist is dated that is nobody's policy."""
    undated: str
    effective: str
    identifiers_left_out: tuple[str, ...]
    """Systems of identifiers that no insurer needs from us."""
    treatments: dict[str, str]
    """Treatments for which a dossier can be made, with their names."""
    title: str
    lead: str
    basis: str
    disclaimer: str
    none: str
    """What stands in a cell without content."""
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
