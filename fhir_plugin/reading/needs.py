"""What has to be read, derived from the knowledge so that every criterion can be answered."""

from __future__ import annotations

from dataclasses import dataclass

from fhir_plugin.record.inputs import LOINC
from fhir_plugin.scales.observation_codes import observation_codes
from mappings.schema.load import Knowledge


@dataclass(frozen=True, slots=True)
class DataNeeds:
    """What has to be read of a record."""

    inputs: tuple[str, ...]
    """Names of inputs, as in ``fhir_plugin.record.inputs.INPUTS``."""
    codes: tuple[str, ...] = ()
    """Search tokens for the inputs that are searched by code."""


def data_needs(knowledge: Knowledge) -> DataNeeds:
    """Everything that some rule of the knowledge reads."""
    return DataNeeds(knowledge.inputs, observation_tokens(knowledge))


def observation_tokens(knowledge: Knowledge) -> tuple[str, ...]:
    """The search tokens of all Observations that are read: ``system|code``, or a bare code without a system."""
    vital_signs = knowledge.vital_signs.vital_signs.values()
    codes = set(observation_codes(knowledge.instruments))
    codes.update(knowledge.laboratory.by_code)
    codes.update(knowledge.laboratory.measured_by_code)
    for sign in vital_signs:
        codes.update(sign.panels)
        for component in sign.components.values():
            codes.update(component.codes)
    return tuple(f"{LOINC}|{code}" if code[0].isdigit() else code for code in sorted(codes))
