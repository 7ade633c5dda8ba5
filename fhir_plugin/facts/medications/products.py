"""The product that a code, a reference or a name stands for: ingredients, strength and formulation.

Codes are tried from the most specific (clinical drug, pack) through NDC and ingredient to ATC, the text last. Where
two of them name different drugs, or different strengths of one, the product is flagged and its strength withheld. What
neither a code nor a name of the dictionary identifies is *unmapped*: it may be any drug.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from fhir_plugin.facts.medications.named_products import covers, product_in_text
from fhir_plugin.facts.medications.recognised import TextNames, names_in_text
from fhir_plugin.facts.medications.strengths import with_stated_strength
from fhir_plugin.record import lenient
from fhir_plugin.record.coded import MOST_LETTERS
from fhir_plugin.record.datatypes import CodeableConcept, Coding, Raw, Reference
from fhir_plugin.record.resources import Medication, MedicationIngredient
from mappings.schema.base.kept import keep
from mappings.schema.base.systems import system_key
from mappings.schema.medications import Medications, Product, ProductPart
from mappings.schema.medications.recognition import plain_words

ANTIDEPRESSANT = "antidepressant"
SPECIFIC = frozenset(("SCD", "SBD"))
PACKS = frozenset(("GPCK", "BPCK"))

MAX_KEY_BYTES = 2048
"""What is cached across records has no larger key, so that no request can fill the memory."""
_MAX_CACHED_CONCEPTS = 4096
_MAX_DEPTH = 2
_MOST_INGREDIENTS = 50
"""Of one Medication, each of which may be a Medication again; one that lists more may be any drug."""


class IdentifiedProduct(NamedTuple):
    """The product that a resource names."""

    product: Product | None
    """``None`` where no product of the tables is named."""
    label: str
    flags: tuple[str, ...] = ()
    unmapped: bool = False
    """Whether it, or a part of it, is not recognised: it may be any drug."""
    contradictory: bool = False
    """Whether its codes, or its code and its words, name different drugs."""
    contradicted_by: tuple[Product, ...] = ()
    """The products that other codes or the words name, where they name another drug than ``product``."""
    other_antidepressant: bool = False
    """Whether it is an antidepressant without a dose table."""

    @property
    def in_doubt(self) -> bool:
        """Whether it, or a part of it, may be any drug: not recognised, not named, or contradictory."""
        return self.unmapped or not self.label or self.contradictory

    def contains(self, group: str, medications: Medications) -> bool:
        """Whether any ingredient belongs to the group, such as ``antidepressant`` or ``ketamine``."""
        if self.product is None:
            return False
        return any(group in medications.ingredients[part.ingredient].groups for part in self.product.parts)


def identify(concept: CodeableConcept | None, medications: Medications) -> IdentifiedProduct:
    """The product that a concept names, by all its codings and its text unless that is too long.

    It is kept for the next record.
    """
    if concept is None:
        return IdentifiedProduct(None, "")
    kept = _kept_products(medications)
    identified = kept.get(concept)
    if identified is None:
        identified = _identified(concept, medications)
        if len(msgspec.msgpack.encode(concept)) <= MAX_KEY_BYTES:
            keep(kept, concept, identified, _MAX_CACHED_CONCEPTS)
    return identified


@lru_cache(maxsize=8)
def _kept_products(_medications: Medications) -> dict[CodeableConcept, IdentifiedProduct]:
    """The products by their concepts, cached across records: a concept holds the name of a drug, and no patient."""
    return {}


def clear_product_cache() -> None:
    """Clear the cache, so that the drugs of the next record are identified again."""
    _kept_products.cache_clear()


def _identified(concept: CodeableConcept, medications: Medications) -> IdentifiedProduct:
    label = concept.label if len(concept.label) <= MOST_LETTERS else ""
    hits = [hit for coding in concept.coding if (hit := _by_code(coding, medications))]
    hits.sort(key=_rank)
    texts = _texts_of(concept, medications)
    named = next((product for text in texts if (product := product_in_text(text, medications))), None)
    names = [names_in_text(text, medications) for text in texts]
    if hits or named is not None:
        found = _reconciled(hits, named, label, _other_substances(named, names))
    else:
        found = IdentifiedProduct(None, label)
    known = bool(hits) or any(reading.recognised for reading in names) or _is_other(concept, medications)
    other = any(_is_other_antidepressant(reading.substances, medications) for reading in names)
    return found._replace(unmapped=not known, other_antidepressant=other)


def _other_substances(named: Product | None, names: Iterable[TextNames]) -> frozenset[str]:
    """The substances of the first words that are recognised, where no words name a product of the tables."""
    if named is not None:
        return frozenset()
    return frozenset(next((reading.substances for reading in names if reading.recognised), ()))


def identify_medication(
    concept: CodeableConcept | None,
    reference: Reference | None,
    medications: Medications,
    *,
    by_reference: Mapping[str, Medication] | None = None,
    contained: Sequence[Raw] = (),
) -> IdentifiedProduct:
    """The product of a request, dispense, statement or draft: by concept, or by contained or referenced Medication."""
    if concept is not None:
        return identify(concept, medications)
    if reference is None:
        return IdentifiedProduct(None, "")
    resource = resolve_medication(reference.reference, by_reference or {}, contained)
    if resource is None:
        identified = identify(CodeableConcept(text=reference.display), medications)
        return identified if identified.label else identified._replace(label=reference.reference or "", unmapped=True)
    known = by_reference or {}
    within = _inside(contained) if resource.ingredient else {}
    return _of_resource(resource, medications, lambda target: within.get(target) or known.get(target), depth=0)


def may_be_antidepressant(drug: IdentifiedProduct, medications: Medications) -> bool:
    """Whether a drug that no dose table holds, or that is contradictory, may be an antidepressant."""
    if drug.other_antidepressant:
        return True
    if drug.product is not None and not drug.unmapped:
        return any(drug._replace(product=other).contains(ANTIDEPRESSANT, medications) for other in drug.contradicted_by)
    hints = medications.hints
    return drug.unmapped and (hints.look_antidepressant(drug.label) or not hints.look_psychotropic(drug.label))


class ProductReader:
    """The drugs of one record."""

    __slots__ = ("_by_reference", "_medications")

    def __init__(self, medications: Medications, by_reference: Mapping[str, Medication]) -> None:
        self._medications = medications
        self._by_reference = by_reference

    def of(
        self, concept: CodeableConcept | None, reference: Reference | None, contained: Sequence[Raw] = ()
    ) -> IdentifiedProduct:
        """The product that a request, dispense, statement or administration names."""
        return identify_medication(
            concept, reference, self._medications, by_reference=self._by_reference, contained=contained
        )


def _is_other_antidepressant(substances: Iterable[str], medications: Medications) -> bool:
    names = medications.recognised.rules.antidepressants.names
    return any(not names.isdisjoint(substance.split()) for substance in substances)


def _texts_of(concept: CodeableConcept, medications: Medications) -> list[str]:
    """The text, then the words that codes are shown by, then codes that are words: those short enough to be names."""
    texts = [concept.text] if concept.text else []
    texts += [coding.display for coding in concept.coding if coding.display]
    systems = medications.systems
    texts += [coding.code for coding in concept.coding if coding.code and not systems.are_codes(coding.system)]
    return [text for text in dict.fromkeys(texts) if len(text) <= MOST_LETTERS]


def _by_code(coding: Coding, medications: Medications) -> Product | None:
    code, system = coding.code, system_key(coding.system)
    if not code or not system:
        return None
    systems = medications.systems
    if system in systems.rxnorm:
        return medications.products.get(code)
    if system in systems.ndc:
        return medications.ndc.get(_eleven_digits(code))
    if system in systems.atc and code in medications.atc:
        return Product((ProductPart(medications.atc[code], None, ""),), tty="ATC")
    return None


def _is_other(concept: CodeableConcept, medications: Medications) -> bool:
    """Whether a code that is in no table of products is known to be none of the drugs that matter."""
    return any(_is_code_of_other(coding, medications) for coding in concept.coding if coding.code)


def _is_code_of_other(coding: Coding, medications: Medications) -> bool:
    code, system = coding.code or "", system_key(coding.system)
    if system in medications.systems.rxnorm:
        return code in medications.other_products
    return system in medications.systems.atc and not medications.recognised.rules.may_matter(code.upper())


def _eleven_digits(ndc: str) -> str:
    parts = ndc.split("-")
    if len(parts) == len(_NDC_WIDTHS):
        return "".join(part.zfill(width) for part, width in zip(parts, _NDC_WIDTHS, strict=True))
    return ndc


_NDC_WIDTHS = (5, 4, 2)


def _rank(product: Product) -> int:
    if product.tty in SPECIFIC:
        return 0
    if product.tty in PACKS:
        return 1
    if not product.tty:
        return 2
    return 4 if product.tty == "ATC" else 3


def _ingredients(product: Product) -> tuple[str, ...]:
    return tuple(sorted(part.ingredient for part in product.parts))


def _reconciled(
    hits: list[Product], named: Product | None, label: str, others: frozenset[str] = frozenset()
) -> IdentifiedProduct:
    """The best of what codes and words name; ``others`` are the substances of words that name none of the tables."""
    candidates = [*hits, named] if named else hits
    best = candidates[0]
    flags: list[str] = ["pack"] if best.tty in PACKS else []
    against = _contradicting(hits, named)
    contradictory = bool(against) or bool(others and not _mentions(others, best))
    strengths = {other.parts[0][1:] for other in candidates if len(other.parts) == 1 and other.parts[0].strength}
    if contradictory or len(strengths) > 1:
        flags.append("conflicting_codes")
        bare = _without_strength(best)
        return IdentifiedProduct(bare, label, tuple(flags), contradictory=contradictory, contradicted_by=against)
    if strengths:
        best = _with_strength(best, *next(iter(strengths)))
        if not any(hit.parts[0].strength for hit in hits):
            flags.append("strength_from_text")
    return IdentifiedProduct(_refined(best, candidates), label, tuple(flags))


def _with_strength(product: Product, strength: float | None, unit: str) -> Product:
    """A product of one ingredient with a strength from elsewhere, where its own code names none."""
    if product.parts[0].strength is not None or len(product.parts) > 1 or product.tty in PACKS:
        return product
    return product._replace(parts=(ProductPart(product.parts[0].ingredient, strength, unit),))


def _contradicting(hits: list[Product], named: Product | None) -> tuple[Product, ...]:
    """The products of other codes, or of the words, that name other ingredients than the best code."""
    if not hits:
        return ()
    best = hits[0]
    against = [other for other in hits[1:] if _ingredients(other) != _ingredients(best)]
    return (*against, named) if named is not None and not covers(best, named) else tuple(against)


def _mentions(substances: frozenset[str], product: Product) -> bool:
    """Whether any of the substances is an ingredient of the product, by a word of its name."""
    words = {word for substance in substances for word in substance.split()}
    return any(not words.isdisjoint(plain_words(part.ingredient)) for part in product.parts)


def _refined(best: Product, candidates: list[Product]) -> Product:
    """Complete the best hit from less specific ones: the formulation, and a use other than depression."""
    formulation = best.formulation or next((other.formulation for other in candidates if other.formulation), "")
    use = best.use
    if not use and best.tty not in SPECIFIC:
        use = next((other.use for other in candidates if other.use), "")
    if formulation == best.formulation and use == best.use:
        return best
    return best._replace(formulation=formulation, use=use)


def _without_strength(product: Product) -> Product:
    return product._replace(parts=tuple(ProductPart(part.ingredient, None, "") for part in product.parts))


def resolve_medication(
    reference: str | None, by_reference: Mapping[str, Medication], contained: Iterable[Raw]
) -> Medication | None:
    """The Medication that a reference points to: contained, or read with the record."""
    if not reference:
        return None
    if not reference.startswith("#"):
        return by_reference.get(reference)
    return next((entry for entry in lenient.decode_all(contained, Medication) if entry.id == reference[1:]), None)


def _inside(contained: Iterable[Raw]) -> Mapping[str, Medication]:
    """The contained Medications, by the reference to them; of one id, the first."""
    found: dict[str, Medication] = {}
    for entry in lenient.decode_all(contained, Medication):
        found.setdefault(f"#{entry.id or ''}", entry)
    return found


def _of_resource(
    resource: Medication, medications: Medications, resolve: Callable[[str], Medication | None], depth: int
) -> IdentifiedProduct:
    identified = identify(resource.code, medications)
    if identified.product is not None or not resource.ingredient:
        return identified
    if len(resource.ingredient) > _MOST_INGREDIENTS:
        return identified._replace(unmapped=True)
    label = identified.label
    parts: list[ProductPart] = []
    unmapped = other = False
    for item in resource.ingredient:
        inner = _of_ingredient(item, medications, resolve, depth)
        if inner is None:
            continue
        unmapped, other = unmapped or inner.unmapped, other or inner.other_antidepressant
        label = label or inner.label
        if inner.product is not None:
            parts += [with_stated_strength(part, item.strength, medications) for part in inner.product.parts]
    product = Product(tuple(parts)) if parts else None
    return IdentifiedProduct(product, label, identified.flags, unmapped=unmapped, other_antidepressant=other)


def _of_ingredient(
    item: MedicationIngredient, medications: Medications, resolve: Callable[[str], Medication | None], depth: int
) -> IdentifiedProduct | None:
    if item.item_codeable_concept is not None:
        return identify(item.item_codeable_concept, medications)
    if item.item_reference is None or depth >= _MAX_DEPTH:
        return None
    target = resolve(item.item_reference.reference or "")
    if target is None:
        return identify(CodeableConcept(text=item.item_reference.display), medications)
    return _of_resource(target, medications, resolve, depth + 1)
