"""``tandem dossier``: the documentation that a prior authorization asks for, assembled from one record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from cds_hooks.cli import records
from cds_hooks.dossier.markdown import dossier_markdown
from fhir_plugin.courses.report import CourseNotes, course_notes, course_report
from fhir_plugin.deciding.decide import decide
from fhir_plugin.errors import BadInput
from fhir_plugin.payers.dossier import Dossier, build_dossier
from fhir_plugin.reading.sources import read_record
from mappings.schema.load import Knowledge, load_knowledge
from mappings.schema.payers.model import PayerPolicy
from mappings.schema.service.servers import GENERIC

Treatment = Literal["tms", "esketamine"]
Format = Literal["md", "html", "json"]


def dossier(
    treatment: Annotated[Treatment, typer.Option("--for", help="The treatment to be authorized.")],
    fhir: records.Fhir = None,
    patient: records.PatientId = None,
    token: records.Token = None,
    client_id: records.ClientId = None,
    key: records.KeyFile = None,
    profile: records.Profile = GENERIC,
    bundle: records.BundleFile = None,
    as_of: records.AsOf = None,
    payer: Annotated[
        str | None, typer.Option(help="The payer whose policy to use; taken from the Coverage if not given.")
    ] = None,
    site: Annotated[Path | None, typer.Option(help="The site's own file with its protocol and numbers.")] = None,
    deadline: records.Deadline = 10.0,
    output: Annotated[Format, typer.Option("--format", help="Markdown, a page that prints, or JSON.")] = "md",
) -> None:
    """Assemble the documentation for a prior authorization, with what is missing first."""
    knowledge = load_knowledge(site=site)
    chosen = _policy(payer, treatment, knowledge)
    day = records.day_from(as_of)
    location = records.RecordLocation(fhir, patient, token, bundle, deadline, profile, client_id, key)
    record = read_record(records.record_source(location, knowledge))
    decision = decide(record, knowledge, as_of=day)
    document = build_dossier(decision, knowledge, treatment, chosen)
    course = course_notes(course_report(decision.facts.scores, decision.facts.treatments))
    typer.echo(_rendered(document, knowledge, course, output), nl=False)


def _policy(payer: str | None, treatment: str, knowledge: Knowledge) -> PayerPolicy | None:
    if payer is None:
        return None
    policy = knowledge.payers.named(payer, treatment)
    if policy is None:
        payers = ", ".join(policy.payer for policy in knowledge.payers.by_treatment[treatment])
        raise BadInput(f"--payer: no policy of that payer for {treatment}: choose one of {payers}")
    return policy


def _rendered(document: Dossier, knowledge: Knowledge, course: CourseNotes, output: Format) -> str:
    if output == "json":
        return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
    if output == "html":
        from cds_hooks.dossier.page import dossier_html

        return dossier_html(document, knowledge, course)
    return dossier_markdown(document, knowledge, course)
