"""Sentences of an order with the numbers of a protocol and of a patient in them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from fhir_plugin.orders.dosing import NumberRange, amount_of
from mappings.schema.base.entries import Verification
from mappings.schema.orders.model import FIELD, NumberWords, parameters_of
from mappings.schema.rules.protocols import ProtocolParameter


class OrderFields(msgspec.Struct, frozen=True, kw_only=True):
    """What the fields of an order's sentences stand for."""

    parameters: Mapping[str, ProtocolParameter]
    said: Mapping[str, str]
    """Every field that a sentence may hold, in its braces, with what it says."""
    by_weight: NumberRange | None = None
    """The dose by weight, in mg."""

    def fits(self, sentence: str) -> bool:
        """Whether the protocol has every parameter that a sentence names."""
        return parameters_of(sentence) <= self.parameters.keys()

    def sentence(self, text: str) -> str:
        """The sentence with its numbers; a field that is worked out for a patient stands as it is until it is known."""
        return FIELD.sub(self._field, text)

    def given(self, known: Mapping[str, str], by_weight: NumberRange | None = None) -> OrderFields:
        """The same with what was worked out for the patient: dose, week, ..."""
        said = {**self.said, **{f"{{{name}}}": words for name, words in known.items()}}
        return OrderFields(parameters=self.parameters, said=said, by_weight=by_weight)

    def _field(self, found: re.Match[str]) -> str:
        return self.said.get(found[0], found[0])


def order_fields(parameters: Mapping[str, ProtocolParameter], words: NumberWords) -> OrderFields:
    """The numbers of a protocol; one that is not sourced, or is the site's own, says so."""
    said = {}
    for name, parameter in parameters.items():
        label = _label(parameter, words)
        said[f"{{{name}}}"] = f"{quantity(parameter)} {label}".rstrip()
        said[f"{{{name}|or}}"] = f"{quantity(parameter, either=True)} {label}".rstrip()
    return OrderFields(parameters=parameters, said=said)


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
