"""The product of the tables that a text names, with the strength beside the name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fhir_plugin.facts.medications.recognised import names_in_text, read_names
from mappings.schema.base.words import without_accents
from mappings.schema.medications import Medications, Product, ProductPart
from mappings.schema.medications.recognition import plain_words

_WORDS = re.compile(r"\d+(?:\.\d+)?|[a-z]+|[/-]")
_STRENGTH = re.compile(
    r"(\d+(?:\.\d+)?)\s*(mg|mcg|g)\b(?!\s*/?\s*(?:day|kg))(?:\s*/\s*(\d+(?:\.\d+)?)?\s*(ml|hours|hour|hrs|hr|h|actuat)\b)?"
)
_MILLIGRAMS = {"mg": 1.0, "mcg": 0.001, "g": 1000.0}


def product_in_text(text: str, medications: Medications, *, is_name: bool = True) -> Product | None:
    """The product that a text names, with the strength beside the name; ``None`` where no table has it.

    What the name of a drug says is kept for the next record (``is_name``); what stands in a note is not.
    """
    read = names_in_text if is_name else read_names
    lower = without_accents(text)
    words = _WORDS.findall(lower)
    products = _in_words(words, medications)
    for substance in read(text, medications).substances:
        for product in _in_words(plain_words(substance), medications):
            if not any(covers(known, product) for known in products):
                products.append(product)
    if not products:
        return None
    if len(products) > 1:
        names = sorted({part.ingredient for product in products for part in product.parts}, reverse=True)
        if "/".join(names) in medications.ingredients:
            unit = Product((ProductPart("/".join(names), None, ""),))
            return _with_words(unit, lower, frozenset(words), medications)
        return Product(tuple(ProductPart(name, None, "") for name in sorted(names)))
    return _with_words(products[0], lower, frozenset(words), medications)


def _in_words(words: Sequence[str], medications: Medications) -> list[Product]:
    """The products whose names stand in a text, by its words."""
    products: list[Product] = []
    for at, word in enumerate(words):
        for name, product in medications.names.get(word, ()):
            if tuple(words[at : at + len(name)]) == name:
                if not products or not covers(products[-1], product):
                    products.append(product)
                break
    return products


def covers(first: Product, second: Product) -> bool:
    """Whether all ingredients of the second product are in the first."""
    ingredients = {piece for part in first.parts for piece in (part.ingredient, *part.ingredient.split("/"))}
    return all(part.ingredient in ingredients for part in second.parts)


def _with_words(product: Product, text: str, words: frozenset[str], medications: Medications) -> Product:
    if len(product.parts) > 1:
        return product
    ingredient = product.parts[0].ingredient
    strengths = {(number, unit, per, of) for number, unit, per, of in _STRENGTH.findall(text)}
    stated = [_strength(ingredient, *strength) for strength in strengths]
    if len(stated) > 1 and "/" in ingredient:  # a combination that counts as a unit: its table has one of the strengths
        known = _known_parts(ingredient, medications)
        stated = [part for part in stated if part in known]
    part = stated[0] if len(stated) == 1 else product.parts[0]
    if product.use:
        return product._replace(parts=(part,))
    for rule in medications.text_rules:
        if rule.ingredient == ingredient and (rule.any_of & words or part.strength in rule.strengths):
            return Product((part,), rule.formulation or product.formulation, rule.use)
    return product._replace(parts=(part,))


def _known_parts(ingredient: str, medications: Medications) -> set[ProductPart]:
    """The strengths of the products of an ingredient."""
    return {
        part for product in medications.products.values() for part in product.parts if part.ingredient == ingredient
    }


def _strength(ingredient: str, number: str, unit: str, per: str, of: str) -> ProductPart:
    amount = float(number) * _MILLIGRAMS[unit]
    if not of:
        return ProductPart(ingredient, amount, "MG")
    share = float(per) if per else 1.0
    if not share:
        return ProductPart(ingredient, None, "")
    dimension = "MG/ML" if of == "ml" else "MG/ACTUAT" if of == "actuat" else "MG/HR"
    return ProductPart(ingredient, amount / share, dimension)
