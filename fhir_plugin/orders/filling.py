"""Sentences of an order, filled in with the numbers of a protocol and of a patient. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from fhir_plugin.orders.dosing import NumberRange, amount_of
from mappings.schema.base.entries import Verification
from mappings.schema.orders.model import FIELD, NumberWords, parameters_of
from mappings.schema.rules.protocols import ProtocolParameter


class OrderFields(msgspec.Struct, frozen=True, kw_only=True):
    """The values of the fields in an order's sentences."""

    parameters: Mapping[str, ProtocolParameter]
    texts: Mapping[str, str]
    """The text of every field that a sentence may contain; the keys include the braces."""
    by_weight: NumberRange | None = None
    """The dose by weight, in mg."""

    def fits(self, sentence: str) -> bool:
        """Whether the protocol has every parameter that a sentence names."""
        return parameters_of(sentence) <= self.parameters.keys()

    def sentence(self, text: str) -> str:
        """The sentence with its numbers; a field that is calculated for a patient stays as it is until it is known."""
        return FIELD.sub(self._field, text)

    def with_values(self, values: Mapping[str, str], by_weight: NumberRange | None = None) -> OrderFields:
        """The same with the values that were calculated for the patient: dose, week, ..."""
        texts = {**self.texts, **{f"{{{name}}}": text for name, text in values.items()}}
        return OrderFields(parameters=self.parameters, texts=texts, by_weight=by_weight)

    def _field(self, match: re.Match[str]) -> str:
        return self.texts.get(match[0], match[0])


def order_fields(parameters: Mapping[str, ProtocolParameter], words: NumberWords) -> OrderFields:
    """The numbers of a protocol; one that is unsourced or the site's own is labelled as such."""
    texts = {}
    for name, parameter in parameters.items():
        label = _label(parameter, words)
        texts[f"{{{name}}}"] = f"{quantity(parameter)} {label}".rstrip()
        texts[f"{{{name}|or}}"] = f"{quantity(parameter, either=True)} {label}".rstrip()
    return OrderFields(parameters=parameters, texts=texts)


def _label(parameter: ProtocolParameter, words: NumberWords) -> str:
    if parameter.local:
        return words.local
    if parameter.verification is Verification.RECALLED:
        return words.recalled
    return words.design if parameter.verification is Verification.DESIGN else ""


def quantity(parameter: ProtocolParameter, *, either: bool = False) -> str:
    """``30-36 sessions``, ``40 min``, ``1 session per week``; ``56 or 84 mg`` where either end may be taken."""
    amount = str(amount_of(parameter))
    if either:
        amount = amount.replace("-", " or ")
    noun, blank, rest = parameter.unit.partition(" ")
    if amount == "1":
        noun = noun.removesuffix("s")
    return f"{amount} {noun}{blank}{rest}"
