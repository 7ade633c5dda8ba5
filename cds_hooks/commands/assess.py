"""``tandem assess``: the same line from a terminal, against a FHIR server or a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from cds_hooks.clock import today
from fhir_plugin.decide import Decision, decide
from fhir_plugin.decode import record_from_bundle
from fhir_plugin.errors import BadInput, PermanentlyUnavailable
from fhir_plugin.gather import fetch_record
from fhir_plugin.needs import observation_tokens
from fhir_plugin.record import Record
from fhir_plugin.report import CriterionReport, Report, report
from mappings.load import Knowledge, load_knowledge

Format = Literal["text", "json"]


def assess(
    fhir: Annotated[str | None, typer.Option(help="Base URL of a FHIR R4 server.")] = None,
    patient: Annotated[str | None, typer.Option(help="Patient id on that server, or in the Bundle.")] = None,
    token: Annotated[str | None, typer.Option(help="Access token.", envvar="TANDEM_TOKEN")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A Bundle of one patient's resources; - for stdin.")] = None,
    as_of: Annotated[str | None, typer.Option(help="The day to assess, YYYY-MM-DD; today if not given.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Which protocol to apply; the default is the safer one.")] = None,
    site: Annotated[Path | None, typer.Option(help="The site's own file with its protocol and numbers.")] = None,
    deadline: Annotated[float, typer.Option(help="Seconds for reading from the server.")] = 10.0,
    output: Annotated[Format, typer.Option("--format", help="A table to read, or JSON.")] = "text",
) -> None:
    """Assess one patient: which criteria are met, not met or unknown, and why."""
    knowledge = load_knowledge(site=site)
    chosen = protocol or knowledge.protocol
    if chosen not in knowledge.protocols:
        raise BadInput(f"no protocol {chosen}: choose one of {', '.join(knowledge.protocols)}")
    day = day_from(as_of)
    record = read_record(knowledge, fhir, patient, token, bundle, deadline)
    decision = decide(record, knowledge, chosen, day)
    typer.echo(_json(decision, knowledge, day) if output == "json" else _text(decision, knowledge, day))


def read_record(
    knowledge: Knowledge, fhir: str | None, patient: str | None, token: str | None, bundle: Path | None, deadline: float
) -> Record:
    """The record that the options name.

    :raises BadInput: when they name none, or two.
    :raises RecordUnavailable: when it cannot be read.
    """
    if (fhir is None) == (bundle is None):
        raise BadInput("give either --fhir with --patient, or --bundle")
    if bundle is not None:
        try:
            return record_from_bundle(read_file(bundle), patient)
        except BadInput as fault:
            raise PermanentlyUnavailable(f"{bundle}: {fault}") from fault
    if fhir is None or patient is None:
        raise BadInput("--fhir needs --patient")
    return fetch_record(fhir, patient, token, knowledge.inputs, observation_tokens(knowledge), deadline)


def read_file(path: Path) -> bytes:
    """The bytes of a file, or of stdin for ``-``; :class:`PermanentlyUnavailable` where it cannot be read."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as fault:
        raise PermanentlyUnavailable(f"{path}: cannot be read: {fault.strerror}") from fault


def day_from(text: str | None) -> date:
    """The day an option names; today without one. :class:`BadInput` for what is no day."""
    if text is None:
        return today()
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise BadInput(f"--as-of: {text!r} is no day: write YYYY-MM-DD") from fault


def _json(decision: Decision, knowledge: Knowledge, as_of: date) -> str:
    return msgspec.json.format(msgspec.json.encode(report(decision, knowledge, as_of)), indent=2).decode()


def _text(decision: Decision, knowledge: Knowledge, as_of: date) -> str:
    content = report(decision, knowledge, as_of)
    head = f"Patient {content.patient} as of {content.as_of}: {content.verdict}"
    return "\n".join((head, "", *criteria_lines(content))).rstrip()


def criteria_lines(content: Report) -> Iterator[str]:
    """A line for each criterion, what decides first, and what could not be read."""
    width = max(len(criterion.id) for criterion in content.criteria)
    for criterion in sorted(content.criteria, key=_urgency):
        yield f"{criterion.verdict:8} {criterion.role:17} {criterion.id:{width}}  {criterion.because}"
        yield from (f"{'':8} {'':17} {'':{width}}  missing: {gap}" for gap in criterion.missing)
    yield from (f"not read: {unread}" for unread in content.unread)


_DECIDES = {
    ("unknown", "required"),
    ("unknown", "contraindication"),
    ("met", "contraindication"),
    ("not_met", "required"),
}
_MATTERS = {("unknown", "expected"), ("unknown", "caution"), ("met", "caution"), ("not_met", "expected")}


def _urgency(criterion: CriterionReport) -> int:
    """What decides first, then what asks for care, then what is met, then what was looked for and not found."""
    said = (criterion.verdict, criterion.role)
    if said in _DECIDES:
        return 0
    if said in _MATTERS:
        return 1
    return 2 if criterion.verdict == "met" else 3
