"""The discovery document: the services, with the prefetch templates that the criteria need."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from cds_hooks.protocol.responses import Discovery, Service
from fhir_plugin.reading.needs import observation_tokens
from fhir_plugin.record.inputs import INPUTS
from mappings.schema.load import Knowledge
from mappings.schema.service.services import ServiceDefinition

PATIENT = "{{context.patientId}}"
CDS_HOOKS_VERSION = "2.0.1"


def discover(knowledge: Knowledge, others: Sequence[Knowledge] = ()) -> Discovery:
    """Every service; its templates follow from criteria -> facts -> inputs.

    ``others`` decide for some of the clients. Nobody says who asks, so everybody is told what any of them needs.
    """
    return Discovery(
        tuple(
            Service(
                hook=service.hook,
                id=service.id,
                title=service.title,
                description=service.description,
                prefetch=templates((knowledge, *others), service),
                usage_requirements=knowledge.services.usage_requirements,
                version=CDS_HOOKS_VERSION,
            )
            for service in knowledge.services.services
        )
    )


def templates(knowledge: Sequence[Knowledge], service: ServiceDefinition) -> dict[str, str]:
    """The prefetch template of each input that the service asks for."""
    codes = tuple(dict.fromkeys(chain.from_iterable(map(observation_tokens, knowledge))))
    names = sorted({name for each in knowledge for name in each.inputs_of(service)})
    return {name: INPUTS[name].template(PATIENT, codes) for name in names}
