"""``tandem trials``: the antidepressant trials of one patient, counted by dose, duration and outcome."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import typer

from cds_hooks.cli import records
from fhir_plugin.errors import BadInput
from fhir_plugin.facts.scores.read import read_scores
from fhir_plugin.facts.trials.read import read_trials
from fhir_plugin.facts.trials.report import trial_document, trial_lines
from fhir_plugin.facts.trials.staging import read_staging
from fhir_plugin.reading.sources import read_record
from fhir_plugin.record.dates import DaySpan, day_span
from mappings.schema.instruments import load_instruments
from mappings.schema.medications import load_medications
from mappings.schema.service.servers import GENERIC

Format = Literal["text", "json"]


def trials(
    bundle: records.BundleFile = None,
    as_of: records.AsOf = None,
    episode_start: Annotated[str | None, typer.Option(help="Start of the current episode: YYYY[-MM[-DD]].")] = None,
    policy: Annotated[
        str | None, typer.Option(help="Policy for the length of a trial: MGH-ATRQ, ATHF or payer.")
    ] = None,
    fhir: records.Fhir = None,
    patient: records.PatientId = None,
    token: records.Token = None,
    client_id: records.ClientId = None,
    key: records.KeyFile = None,
    profile: records.Profile = GENERIC,
    deadline: records.Deadline = 10.0,
    output: Annotated[Format, typer.Option("--format", help="Lines to read, or JSON.")] = "text",
) -> None:
    """Count adequate and failed trials, with the evidence for each."""
    medications = load_medications()
    if policy is not None and policy not in medications.policies:
        raise BadInput(f"--policy: no policy {policy}: choose one of {', '.join(medications.policies)}")
    day, episode = records.day_from(as_of), _episode(episode_start)
    location = records.RecordLocation(fhir, patient, token, bundle, deadline, profile, client_id, key)
    record = read_record(records.record_source(location))
    scores = read_scores(record, load_instruments(), day)
    history = read_trials(
        record, medications, day, assessments=scores.assessments, episode_start=episode, policy=policy
    )
    staged = read_staging(record, history, medications, day)
    if output == "json":
        document = msgspec.json.encode(trial_document(history, staged, medications))
        typer.echo(msgspec.json.format(document, indent=2).decode())
    else:
        typer.echo("\n".join(trial_lines(history, staged)))


def _episode(text: str | None) -> DaySpan | None:
    if text is None:
        return None
    span = day_span(text)
    if span is None:
        raise BadInput(f"--episode-start: {text!r} is not a date: write YYYY-MM-DD, YYYY-MM or YYYY")
    return span
