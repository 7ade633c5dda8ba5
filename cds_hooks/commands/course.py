"""``tandem course``: symptoms and treatments over time, in words, as JSON or as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from cds_hooks.cli import records
from fhir_plugin.courses.report import CourseReport, course_report
from fhir_plugin.errors import BadInput
from fhir_plugin.facts.scores.read import read_scores
from fhir_plugin.facts.treatments.read import read_treatments
from fhir_plugin.reading.sources import read_record
from mappings.schema.instruments.course_style import TrendWords
from mappings.schema.load import load_knowledge
from mappings.schema.service.servers import GENERIC

Format = Literal["text", "json"]


def course(
    fhir: records.Fhir = None,
    patient: records.PatientId = None,
    token: records.Token = None,
    client_id: records.ClientId = None,
    key: records.KeyFile = None,
    profile: records.Profile = GENERIC,
    bundle: records.BundleFile = None,
    as_of: records.AsOf = None,
    svg: Annotated[Path | None, typer.Option(help="Also write the picture to this file.")] = None,
    deadline: records.Deadline = 10.0,
    output: Annotated[Format, typer.Option("--format", help="Sentences to read, or JSON.")] = "text",
) -> None:
    """Show how symptoms changed over time, and which treatments were given when."""
    knowledge = load_knowledge()
    day = records.day_from(as_of)
    location = records.RecordLocation(fhir, patient, token, bundle, deadline, profile, client_id, key)
    record = read_record(records.record_source(location, knowledge))
    scores = read_scores(record, knowledge.instruments, day)
    treatments = read_treatments(record, knowledge.treatments, day, scores.assessments, knowledge.instruments)
    report = course_report(scores, treatments)
    if svg is not None:
        from fhir_plugin.courses.drawing import draw_svg

        _write(svg, draw_svg(scores, treatments.courses, knowledge.treatments))
    if output == "json":
        typer.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        typer.echo(_text(report, knowledge.instruments.words))


def _write(path: Path, picture: str) -> None:
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as fault:
        raise BadInput(f"{path}: cannot be written: {fault.strerror}") from fault


def _text(report: CourseReport, words: TrendWords) -> str:
    lines = [words.alert.format(text=alert.text) for alert in report.alerts]
    lines += [""] if lines else []
    lines += [line.told for line in report.treatments] or [words.no_course]
    for trend in report.trends:
        lines += ["", *trend.changes, *(f"  {sentence}" for sentence in trend.details)]
    if not report.trends:
        lines += ["", words.no_scale]
    lines += [words.not_whole.format(gap=gap) for gap in report.missing]
    return "\n".join(lines)
