"""The words of a dossier and of what is counted for a payer, as data."""

from __future__ import annotations

from pathlib import Path

from mappings.files import KNOWLEDGE, read_yaml
from mappings.model import Reviewed


class DossierWords(Reviewed):
    """``dossier.yaml``."""

    counted: dict[str, str]
    """What an item about trials counts, as the beginning of a sentence."""
    durations: dict[str, str]
    """How long a trial must have lasted; ``seen`` and ``open``."""
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


def load_dossier_words(folder: Path = KNOWLEDGE) -> DossierWords:
    """The words of the dossier."""
    return read_yaml(folder / "dossier.yaml", DossierWords)
