"""Without a rule of which product a record means."""

from __future__ import annotations

import dataclasses

import pytest

from fhir_plugin.facts.medications import exposures, histories, products
from mappings.schema.medications import Medications, Product, ProductPart
from tests.support.medications.mutants.registry import mutant, nothing


@mutant
def any_code_first(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(products, "_rank", lambda product: 0)


@mutant
def conflicts_settled_silently(patch: pytest.MonkeyPatch, known: Medications) -> None:
    def first(
        hits: list[Product], named: Product | None, label: str, others: frozenset[str]
    ) -> products.IdentifiedProduct:
        return products.IdentifiedProduct(hits[0] if hits else named, label)

    patch.setattr(products, "_reconciled", first)


@mutant
def references_not_followed(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(products, "resolve_medication", nothing)


@mutant
def ingredients_of_medications_not_read(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(
        products, "_of_resource", lambda resource, known, resolve, depth: products.identify(
            resource.code, known
        )
    )  # fmt: skip


@mutant
def displays_not_read(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(products, "_texts_of", lambda concept, known: [concept.text] if concept.text else [])


@mutant
def brands_not_read(patch: pytest.MonkeyPatch, known: Medications) -> Medications:
    names = dataclasses.replace(known.recognised, substances=dict.fromkeys(known.recognised.substances, ""), folded={})
    kept = {first: entries for first, entries in known.names.items() if first in known.ingredients}
    return dataclasses.replace(known, names=kept, recognised=names)


@mutant
def foreign_names_not_read(patch: pytest.MonkeyPatch, known: Medications) -> Medications:
    return dataclasses.replace(known, recognised=dataclasses.replace(known.recognised, folded={}))


@mutant
def everything_is_recognised(patch: pytest.MonkeyPatch, known: Medications) -> None:
    read = products.names_in_text
    patch.setattr(products, "names_in_text", lambda text, known: read(text, known)._replace(recognised=True))


@mutant
def nothing_may_be_an_antidepressant(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(histories, "may_be_antidepressant", lambda drug, known: False)


@mutant
def antidepressants_without_doses_forgotten(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(products, "_is_other_antidepressant", lambda substances, known: False)


@mutant
def contradicting_words_forgotten(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(products, "_contradicting", lambda hits, named: ())


@mutant
def strength_of_a_combination_is_one_sum(patch: pytest.MonkeyPatch, known: Medications) -> Medications:
    def summed(product: Product) -> Product:
        total = sum(part.strength or 0 for part in product.parts)
        return product._replace(parts=tuple(part._replace(strength=total) for part in product.parts))

    every = {code: summed(p) if len(p.parts) > 1 else p for code, p in known.products.items()}
    return dataclasses.replace(known, products=every)


@mutant
def only_the_first_part_of_a_combination(patch: pytest.MonkeyPatch, known: Medications) -> Medications:
    every = {code: p._replace(parts=p.parts[:1]) for code, p in known.products.items()}
    return dataclasses.replace(known, products=every)


@mutant
def dextromethorphan_bupropion_is_bupropion(patch: pytest.MonkeyPatch, known: Medications) -> Medications:
    def renamed(part: ProductPart) -> ProductPart:
        return part._replace(ingredient=part.ingredient.removeprefix("dextromethorphan/"))

    every = {code: p._replace(parts=tuple(map(renamed, p.parts))) for code, p in known.products.items()}
    return dataclasses.replace(known, products=every)


@mutant
def milligrams_of_a_combination_believed(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(exposures, "_in_milligrams", lambda reading: False)
