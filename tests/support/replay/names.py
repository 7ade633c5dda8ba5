"""Names of people, from lists that are made for test data."""

from __future__ import annotations

import importlib
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LOCALES = (
    "cs_CZ", "da_DK", "de_AT", "de_CH", "de_DE", "en_GB", "en_IE", "en_IN", "en_NZ", "en_US",
    "es_CO", "es_ES", "es_MX", "fi_FI", "fr_CH", "fr_FR", "ga_IE", "hr_HR", "hu_HU", "id_ID",
    "it_IT", "nl_BE", "nl_NL", "no_NO", "pl_PL", "pt_BR", "ro_RO", "sv_SE", "tr_TR", "vi_VN",
)  # fmt: skip


OTHERS = tuple(Path(__file__).with_name("other_names.txt").read_text(encoding="utf-8").split())
"""Names that those lists lack: surnames of many languages, and those that are words of medicine or of sigs."""


@cache
def people(locale: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The given and the family names of one locale, in Latin letters, in order."""
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    found: dict[str, set[str]] = {"first": set(), "last": set()}
    for attribute in dir(provider):
        for kind, names in found.items():
            if attribute.startswith(f"{kind}_name"):
                names.update(_written(getattr(provider, attribute)))
    return tuple(sorted(found["first"])), tuple(sorted(found["last"]))


def _written(names: object) -> Iterator[str]:
    if isinstance(names, (tuple, list, dict)):
        yield from (name.strip() for name in names if isinstance(name, str) and _is_latin(name))


def _is_latin(name: str) -> bool:
    return name.strip() != "" and all(
        not letter.isalpha() or "LATIN" in unicodedata.name(letter, "") for letter in name
    )
