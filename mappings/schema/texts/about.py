"""The description of the services as a whole: purpose, limits and source attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import model_validator

from mappings.schema.base.entries import Entry, Reviewed
from mappings.schema.base.files import read_yaml
from mappings.schema.rules.criteria import Comparator

ATTRIBUTES = (
    "citation", "developer", "funding", "dates", "race", "ethnicity", "language", "sexual_orientation",
    "gender_identity", "sex", "date_of_birth", "social_determinants", "health_status_assessments",
)  # fmt: skip
"""The source attributes of evidence-based decision support, in the order of the rule."""


class Attribute(Entry):
    """One source attribute."""

    key: str
    name: str
    says: str
    used: bool | None = None
    """For patient data: whether any rule uses it."""


class AboutWords(Reviewed):
    """``about.yaml``."""

    title: str
    purpose: str
    user: str
    patients: str
    not_for: tuple[str, ...]
    limits: tuple[str, ...]
    not_done: tuple[str, ...]
    review_basis: str
    comparisons: dict[Comparator, str]
    max_age: str
    attributes: tuple[Attribute, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if tuple(attribute.key for attribute in self.attributes) != ATTRIBUTES:
            raise ValueError(f"attributes: must be {', '.join(ATTRIBUTES)}, in this order")
        if missing := [comparator.value for comparator in Comparator if comparator not in self.comparisons]:
            raise ValueError(f"comparisons: no words for {', '.join(missing)}")
        return self


def load_about(path: Path) -> AboutWords:
    """Read ``about.yaml``."""
    return read_yaml(path, AboutWords)
