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
from cds_hooks.commands.assess import Format, criteria_lines
from cds_hooks.hooks.service import HookAnswer, HookService
from cds_hooks.protocol.errors import CallError
from cds_hooks.protocol.requests import HookCall, read_call
from cds_hooks.settings.settings import Settings, load_settings
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
    output: Annotated[Format, typer.Option("--format", help="Lines to read, or JSON with the cards.")] = "text",
) -> None:
    """Show which cards a request gets, the whole reasoning behind them, and every criterion and pathway."""
    knowledge = load_knowledge(site=site)
    body = read_file(request)
    service = _service(body, knowledge)
    day = day_from(as_of)
    try:
        call = read_call(body, service.hook)
        answer, full = asyncio.run(_answered(call, service, knowledge, day, load_settings()))
    except CallError as fault:
        raise BadInput(f"{request}: {fault}") from fault
    if output == "json":
        typer.echo(_json(answer, full, service, knowledge))
    else:
        typer.echo("\n".join(_lines(answer, full, service, knowledge)))


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


async def _answered(
    call: HookCall, service: ServiceDefinition, knowledge: Knowledge, as_of: date, settings: Settings
) -> tuple[HookAnswer, HookAnswer]:
    """The answer as it is sent, and with the whole reasoning."""
    async with FhirServers() as servers:
        hooks = HookService(knowledge, settings, servers)
        answer = await hooks.answer(call, service, as_of, settings.readable)
    return answer, hooks.in_full(call, service, answer)


def _json(answer: HookAnswer, full: HookAnswer, service: ServiceDefinition, knowledge: Knowledge) -> str:
    """The cards as they are sent, the whole reasoning, why there are none, and what ``tandem assess`` prints."""
    decision = answer.decision
    content = {
        "service": service.id,
        "cards": answer.cards,
        "reasoning": [card.detail for card in full.cards],
        "silence": list(_silence(answer)),
        "decision": report(decision, knowledge) if decision else None,
        "pathways": [
            {
                "protocol": recommendation.protocol,
                "pathway": pathway.id,
                "fits": pathway.fits.value,
                "standing": pathway.standing.value,
                "open": pathway.open,
            }
            for recommendation in ((decision.recommendation, *decision.beside) if decision else ())
            for pathway in recommendation.pathways
        ],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def _silence(answer: HookAnswer) -> Iterator[str]:
    """Why nothing is said, or why a draft is passed over."""
    if withdrawn := len(answer.ordered.withdrawn):
        yield f"not answered as orders: {withdrawn} draft(s) cancelled, ended, in error or forbidding"
    yield from (f"silent about {line}" for line in answer.silence)
    if answer.cards or answer.silence:
        return
    if answer.decision is None:
        yield "silent: no draft order names ketamine, esketamine, TMS or an antidepressant for this patient"
    else:
        yield "silent: nothing on the record calls for a card at this hook"


def _lines(answer: HookAnswer, full: HookAnswer, service: ServiceDefinition, knowledge: Knowledge) -> Iterator[str]:
    yield f"{service.id}: {len(answer.cards)} card(s)"
    for card in answer.cards:
        yield f"  [{card.indicator}] {card.summary}"
        yield from (f"      may be taken: {suggestion.label}" for suggestion in card.suggestions)
    yield from (f"  {line}" for line in _silence(answer))
    if answer.decision is None:
        return
    content = report(answer.decision, knowledge)
    yield ""
    yield from (treatment.headline for treatment in content.treatments)
    for card in full.cards:
        yield f"\nThe whole reasoning of: {card.summary}\n"
        yield from card.detail.splitlines()
    yield ""
    yield from criteria_lines(content)
    yield from _pathways(answer.decision, knowledge)


def _pathways(decision: Decision, knowledge: Knowledge) -> Iterator[str]:
    """Every pathway of every protocol: whether it fits, the standing of its treatments, and what is still open."""
    for recommendation in (decision.recommendation, *decision.beside):
        yield ""
        yield f"{knowledge.protocols[recommendation.protocol].title}: {recommendation.verdict}"
        for answer in recommendation.pathways:
            waits = f"; open: {', '.join(answer.open)}" if answer.open else ""
            yield f"  {answer.fits:8} {answer.pathway.title} (its treatments: {answer.standing}){waits}"
