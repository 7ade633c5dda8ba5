"""``tandem explain``: why a request gets its cards, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cds_hooks.cli.records import day_from, read_file
from cds_hooks.commands.assess import criteria_lines
from cds_hooks.hooks.service import HookAnswer, HookService
from cds_hooks.protocol.errors import CallError
from cds_hooks.protocol.requests import HookCall, read_call
from cds_hooks.settings.settings import load_settings
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.report import report
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.record.datatypes import UNDECODABLE
from mappings.schema.load import Knowledge, load_knowledge
from mappings.schema.service.services import ServiceDefinition


class _Hook(msgspec.Struct):
    hook: str = ""


def explain(
    request: Annotated[Path, typer.Argument(help="A CDS Hooks request as JSON; - for stdin.")],
    as_of: Annotated[str | None, typer.Option(help="The day to answer for, YYYY-MM-DD; today if not given.")] = None,
    site: Annotated[Path | None, typer.Option(help="The site's own file with its protocol and numbers.")] = None,
) -> None:
    """Show which cards a request gets, and for every criterion and pathway its result and the reason."""
    knowledge = load_knowledge(site=site)
    body = read_file(request)
    service = _service(body, knowledge)
    day = day_from(as_of)
    try:
        call = read_call(body, service.hook)
        answer = asyncio.run(_answered(call, service, knowledge, day))
    except CallError as fault:
        raise BadInput(f"{request}: {fault}") from fault
    typer.echo("\n".join(_lines(answer, service, knowledge)))


def _service(body: bytes, knowledge: Knowledge) -> ServiceDefinition:
    """The service for the hook of the request."""
    try:
        hook = msgspec.json.decode(body, type=_Hook).hook
    except UNDECODABLE as fault:
        raise BadInput("the request is not a JSON object with a hook") from fault
    for service in knowledge.services.services:
        if service.hook == hook:
            return service
    offered = ", ".join(service.hook for service in knowledge.services.services)
    raise BadInput(f"there is no service for the hook of the request; services exist for {offered}")


async def _answered(call: HookCall, service: ServiceDefinition, knowledge: Knowledge, as_of: date) -> HookAnswer:
    async with FhirServers() as servers:
        settings = load_settings()
        return await HookService(knowledge, settings, servers).answer(call, service, as_of, settings.readable)


def _lines(answer: HookAnswer, service: ServiceDefinition, knowledge: Knowledge) -> Iterator[str]:
    yield f"{service.id}: {len(answer.cards)} card(s)"
    for card in answer.cards:
        yield f"  [{card.indicator}] {card.summary}"
        yield from (f"      may be taken: {suggestion.label}" for suggestion in card.suggestions)
    if withdrawn := len(answer.ordered.withdrawn):
        yield f"  not answered as orders: {withdrawn} draft(s) cancelled, ended, in error or forbidding"
    yield from (f"  silent about {line}" for line in answer.silence)
    if answer.decision is None:
        if not answer.cards and not answer.silence:
            yield "  silent: no draft order names ketamine, esketamine, TMS or an antidepressant for this patient"
        return
    if not answer.cards and not answer.silence:
        yield "  silent: nothing on the record calls for a card at this hook"
    yield ""
    yield from criteria_lines(report(answer.decision, knowledge))
    yield from _pathways(answer.decision, knowledge)


def _pathways(decision: Decision, knowledge: Knowledge) -> Iterator[str]:
    """Every pathway of every protocol: whether it fits, the standing of its treatments, and what is still open."""
    for recommendation in (decision.recommendation, *decision.beside):
        yield ""
        yield f"{knowledge.protocols[recommendation.protocol].title}: {recommendation.verdict}"
        for answer in recommendation.pathways:
            waits = f"; open: {', '.join(answer.open)}" if answer.open else ""
            yield f"  {answer.fits:8} {answer.pathway.title} (its treatments: {answer.standing}){waits}"
