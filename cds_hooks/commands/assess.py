"""``tandem assess``: assess one patient from a FHIR server or a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from cds_hooks.cli import records
from fhir_plugin.deciding.decide import Decision, chosen_protocol, decide
from fhir_plugin.deciding.report import CriterionReport, DecisionReport, report
from fhir_plugin.reading.sources import read_record
from mappings.schema.load import Knowledge, load_knowledge
from mappings.schema.service.servers import GENERIC

Format = Literal["text", "json"]


def assess(
    fhir: records.Fhir = None,
    patient: records.PatientId = None,
    token: records.Token = None,
    client_id: records.ClientId = None,
    key: records.KeyFile = None,
    profile: records.Profile = GENERIC,
    bundle: records.BundleFile = None,
    as_of: records.AsOf = None,
    protocol: Annotated[
        str | None, typer.Option(help="The protocol to apply; the default is the more conservative one.")
    ] = None,
    site: Annotated[Path | None, typer.Option(help="The site's own file with its protocol and numbers.")] = None,
    deadline: records.Deadline = 10.0,
    output: Annotated[Format, typer.Option("--format", help="A table to read, or JSON.")] = "text",
) -> None:
    """Assess one patient: which criteria are met, not met or unknown, and why."""
    knowledge = load_knowledge(site=site)
    chosen = chosen_protocol(knowledge, protocol)
    day = records.day_from(as_of)
    location = records.RecordLocation(fhir, patient, token, bundle, deadline, profile, client_id, key)
    record = read_record(records.record_source(location, knowledge))
    decision = decide(record, knowledge, as_of=day, protocol=chosen)
    typer.echo(_json(decision, knowledge) if output == "json" else _text(decision, knowledge))


def _json(decision: Decision, knowledge: Knowledge) -> str:
    return msgspec.json.format(msgspec.json.encode(report(decision, knowledge)), indent=2).decode()


def _text(decision: Decision, knowledge: Knowledge) -> str:
    content = report(decision, knowledge)
    head = f"Patient {content.patient} as of {content.as_of}: {content.verdict.replace('_', ' ')}"
    standings = [treatment.headline for treatment in content.treatments]
    return "\n".join((head, "", *standings, "", *criteria_lines(content))).rstrip()


def criteria_lines(content: DecisionReport) -> Iterator[str]:
    """One line per criterion, the deciding ones first, and what could not be read."""
    width = max(len(criterion.id) for criterion in content.criteria)
    for criterion in sorted(content.criteria, key=_urgency):
        yield f"{criterion.verdict:8} {criterion.role:17} {criterion.id:{width}}  {criterion.because}"
        yield from (f"{'':8} {'':17} {'':{width}}  missing: {gap}" for gap in criterion.missing)
    yield from (f"not read: {unread}" for unread in content.unread)


_DECIDES = {
    ("unknown", "required"),
    ("unknown", "contraindication"),
    ("met", "contraindication"),
    ("unknown", "hold"),
    ("met", "hold"),
    ("not_met", "required"),
}
_MATTERS = {("unknown", "expected"), ("unknown", "caution"), ("met", "caution"), ("not_met", "expected")}


def _urgency(criterion: CriterionReport) -> int:
    """Sort key: deciding criteria, then cautions, then what is met, then what was looked for and not found."""
    key = (criterion.verdict, criterion.role)
    if key in _DECIDES:
        return 0
    if key in _MATTERS:
        return 1
    return 2 if criterion.verdict == "met" else 3
