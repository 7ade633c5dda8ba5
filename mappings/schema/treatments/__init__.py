"""How interventional treatments are recognised on a record: YAML files, checked at start. Knows no rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.base.kept import KeptByName
from mappings.schema.base.systems import system_key
from mappings.schema.base.words import any_pattern, without_accents
from mappings.schema.treatments.model import AllergyWords, ResponseRule, Treatment

Code = tuple[str | None, str | None]
"""Code system URL and code, as in a resource."""


@dataclass(frozen=True, slots=True)
class Treatments:
    """All treatments, indexed for look-up; frozen and picklable."""

    by_id: Mapping[str, Treatment]
    response: ResponseRule
    systems: Mapping[str, str]
    """Short name by the key of the code system."""
    codes: Mapping[tuple[str, str], str]
    prefixes: tuple[tuple[str, str, str], ...]
    """(system, start of the code, treatment)."""
    words: tuple[tuple[str, re.Pattern[str], re.Pattern[str] | None], ...]
    """(treatment, what its text contains, what it must not contain)."""
    allergy_words: tuple[str, ...] = ()
    """Lower-case text fragments that indicate an allergy."""
    hypersensitive_reactions: tuple[str, ...] = ()
    """Lower-case text fragments of reactions that are hypersensitivity, whatever the type of the entry."""
    ordered_as: tuple[tuple[str, re.Pattern[str]], ...] = ()
    """(treatment, text that identifies an order of it whatever else the order contains)."""
    other_forms: tuple[tuple[str, re.Pattern[str], re.Pattern[str], re.Pattern[str] | None], ...] = ()
    """(treatment, forms and routes that the criteria do not cover, those that they do, parts that say neither)."""
    _of_names: KeptByName[str | None] = field(default_factory=KeptByName, init=False, repr=False, compare=False)
    """Records repeat the names of procedures and drugs."""

    def __getitem__(self, treatment: str) -> Treatment:
        return self.by_id[treatment]

    def of_code(self, codings: Iterable[Code]) -> str | None:
        """The treatment that the first known code denotes."""
        for system, code in codings:
            short = self.systems.get(system_key(system))
            if not short or not code:
                continue
            if exact := self.codes.get((short, code.upper())):
                return exact
            for prefix_system, prefix, treatment in self.prefixes:
                if prefix_system == short and code.upper().startswith(prefix):
                    return treatment
        return None

    def of_text(self, text: str | None) -> str | None:
        """The treatment that a name denotes; ``None`` if it denotes none or more than one. Kept by the name."""
        return self._of_names.of(text or "", self._named)

    def _named(self, text: str) -> str | None:
        treatments = self.all_of_text(text)
        return treatments[0] if len(treatments) == 1 else None

    def all_of_text(self, text: str) -> tuple[str, ...]:
        """Every treatment that the text denotes."""
        lower = without_accents(text)
        return tuple(
            treatment
            for treatment, holds, lacks in self.words
            if holds.search(lower) and not (lacks and lacks.search(lower))
        )

    def all_of_order(self, text: str) -> tuple[str, ...]:
        """Every treatment that the text of an order denotes; an order may name more than the treatment."""
        lower = without_accents(text)
        ordered = {treatment for treatment, holds in self.ordered_as if holds.search(lower)}
        ordered.update(self.all_of_text(lower))
        return tuple(treatment for treatment in self.by_id if treatment in ordered)

    def in_other_form(self, codings: Iterable[Code], words: str, manners: Iterable[str]) -> str | None:
        """The treatment whose drug is ordered in a form that its criteria do not cover.

        ``words`` names what is ordered. ``manners`` say how it is given: route and instructions, form, name; the first
        that says anything decides, because a vial may be dispensed to be swallowed.
        """
        named = self.of_code(codings) or self._only_mentioned(words)
        for treatment, holds, lacks, ignored in self.other_forms:
            if treatment != named:
                continue
            for text in manners:
                plain = without_accents(text)
                said = ignored.sub(" ", plain) if ignored else plain
                if lacks.search(said):
                    break
                if holds.search(said):
                    return treatment
        return None

    def _only_mentioned(self, text: str) -> str | None:
        mentioned = self.mentioned(text)
        return mentioned[0] if len(mentioned) == 1 else None

    def mentioned(self, text: str) -> tuple[str, ...]:
        """Every treatment whose words occur in the text, whatever else it contains."""
        lower = without_accents(text)
        return tuple(treatment for treatment, holds, _ in self.words if holds.search(lower))

    def treatment_of(self, codings: Iterable[Code], text: str | None = None) -> str | None:
        """The treatment by its codes, else by its words."""
        return self.of_code(codings) or self.of_text(text)


def load_treatments(folder: Path | None = None) -> Treatments:
    """Read every treatment of ``folder`` (ours by default); :class:`KnowledgeError` names the file at fault."""
    folder = folder or KNOWLEDGE / "treatments"
    systems = read_yaml(folder / "_systems.yaml", dict[str, tuple[str, ...]])
    by_id, codes = _read_treatments(folder, systems)
    allergy = read_yaml(folder / "_allergy.yaml", AllergyWords)
    return Treatments(
        by_id=by_id,
        response=read_yaml(folder / "_response.yaml", ResponseRule),
        allergy_words=allergy.words,
        hypersensitive_reactions=allergy.reactions,
        systems={system_key(address): short for short, addresses in systems.items() for address in addresses},
        codes=codes,
        prefixes=tuple(
            (system, prefix, treatment.id)
            for treatment in by_id.values()
            for system, listed in treatment.prefixes.items()
            for prefix in listed
        ),
        words=tuple(
            (treatment.id, re.compile("|".join(treatment.patterns)), any_pattern(treatment.not_patterns))
            for treatment in by_id.values()
        ),
        ordered_as=tuple(
            (treatment.id, re.compile("|".join(treatment.ordered_as)))
            for treatment in by_id.values()
            if treatment.ordered_as
        ),
        other_forms=tuple(
            (
                treatment.id,
                re.compile("|".join(forms.holds)),
                re.compile("|".join(forms.lacks)),
                any_pattern(forms.ignored),
            )
            for treatment in by_id.values()
            if (forms := treatment.other_forms)
        ),
    )


def _read_treatments(
    folder: Path, systems: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, Treatment], dict[tuple[str, str], str]]:
    """The treatments by id, and the treatment id by system and code."""
    by_id: dict[str, Treatment] = {}
    codes: dict[tuple[str, str], str] = {}
    for path in sorted(folder.glob("[!_]*.yaml")):
        if path.name.endswith(".cases.yaml"):
            continue
        treatment = read_yaml(path, Treatment)
        if treatment.id != path.stem:
            raise KnowledgeError(f"{path.name}: id: must be {path.stem!r}, the name of the file")
        if unknown := (treatment.codes.keys() | treatment.prefixes.keys()) - systems.keys():
            raise KnowledgeError(f"{path.name}: codes: no such system: {', '.join(sorted(unknown))}")
        by_id[treatment.id] = treatment
        for system, listed in treatment.codes.items():
            for code in listed:
                other = codes.setdefault((system, code), treatment.id)
                if other != treatment.id:
                    raise KnowledgeError(f"{path.name}: codes.{system}: {code} already means {other}")
    return by_id, codes
