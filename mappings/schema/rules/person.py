"""What is read from the Patient resource beside the age."""

from __future__ import annotations

from pathlib import Path

from mappings.schema.base.entries import Entry, Reviewed, Verification
from mappings.schema.base.files import read_yaml


class AgeRange(Entry):
    """Whole years, both ends included."""

    low: int
    high: int
    source: str
    verification: Verification
    note: str = ""


class Childbearing(Entry):
    """In whom pregnancy is possible as far as the Patient resource tells."""

    not_for: frozenset[str]
    """Values of ``Patient.gender``."""
    ages: AgeRange


class PersonRules(Reviewed):
    """``person.yaml``."""

    childbearing: Childbearing


def load_person_rules(folder: Path) -> PersonRules:
    """Read ``person.yaml``."""
    return read_yaml(folder / "person.yaml", PersonRules)
