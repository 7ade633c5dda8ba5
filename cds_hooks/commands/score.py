"""``tandem score``: score the questionnaires of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from fhir_plugin.errors import BadInput, TandemError, WrongQuestionnaire
from fhir_plugin.record.bundles import AnyResource, BundleEntry
from fhir_plugin.record.opening import OpenedBundle, UnreadableEntry, open_value
from fhir_plugin.record.resources import Patient, Questionnaire, QuestionnaireResponse
from fhir_plugin.scales.scoring import Score, score_all
from mappings.schema.instruments import Instruments, load_instruments

NOTHING_TO_SCORE = 3
_RESPONSE = QuestionnaireResponse.__name__


class ScoreFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class ScoredResponse(msgspec.Struct, frozen=True):
    """A score with its response."""

    reference: str
    authored: str | None
    score: Score


def score_file(
    file: Annotated[Path, typer.Argument(help="A QuestionnaireResponse or a Bundle of them, as JSON.")],
    questionnaire: Annotated[
        Path | None, typer.Option(help="The Questionnaire that was answered, where its linkIds are not known.")
    ] = None,
    sex: Annotated[str | None, typer.Option(help="male or female, where the cut-off depends on it.")] = None,
    prorate: Annotated[bool, typer.Option(help="Prorate a few missing items, if the instrument allows it.")] = False,
    form: Annotated[ScoreFormat, typer.Option("--format", help="How to print.")] = ScoreFormat.TEXT,
) -> None:
    """Score questionnaires; a total is given only if every item that counts was answered."""
    try:
        opened = _open(file)
        scored = list(
            score_file_entries(opened, load_instruments(), _questionnaire(questionnaire), sex=sex, prorate=prorate)
        )
        if not scored:
            raise BadInput(f"{file}: no QuestionnaireResponse in it")
    except TandemError as fault:
        typer.echo(f"tandem: {fault}", err=True)
        raise typer.Exit(NOTHING_TO_SCORE) from fault
    if unread := sum(
        isinstance(entry, UnreadableEntry) and entry.resource_type == _RESPONSE for entry in opened.entries
    ):
        typer.echo(f"tandem: {file}: {unread} QuestionnaireResponse(s) in it could not be read", err=True)
    if form is ScoreFormat.JSON:
        typer.echo(_as_json(scored, several=opened.bundle or len(scored) > 1))
    else:
        for response in scored:
            typer.echo(_as_text(response))


def score_file_entries(
    opened: OpenedBundle,
    instruments: Instruments,
    questionnaire: Questionnaire | None = None,
    *,
    sex: str | None = None,
    prorate: bool = False,
) -> Iterator[ScoredResponse]:
    """The scores of all responses of known instruments; WrongQuestionnaire if there are none."""
    resources = [entry.resource for entry in opened.entries if isinstance(entry, BundleEntry)]
    forms = _forms(resources)
    sexes = {resource.reference: resource.gender for resource in resources if isinstance(resource, Patient)}
    fault: WrongQuestionnaire | None = None
    recognised = False
    for resource in (resource for resource in resources if isinstance(resource, QuestionnaireResponse)):
        answered = questionnaire or forms.get((resource.questionnaire or "").partition("|")[0])
        try:
            known_sex = sex or sexes.get(_subject_of(resource))
            results = score_all(resource, instruments, answered, sex=known_sex, prorate=prorate)
        except WrongQuestionnaire as wrong:
            fault = wrong
            continue
        recognised = True
        for result in results:
            yield ScoredResponse(resource.reference, resource.authored, result)
    if fault and not recognised:
        raise fault


def _forms(resources: Sequence[AnyResource | None]) -> dict[str, Questionnaire]:
    """The Questionnaires, by their canonical address."""
    return {resource.url: resource for resource in resources if isinstance(resource, Questionnaire) and resource.url}


def _subject_of(response: QuestionnaireResponse) -> str:
    return (response.subject.reference or "") if response.subject else ""


def _open(file: Path) -> OpenedBundle:
    try:
        opened = open_value(file.read_bytes())
    except OSError as fault:
        raise BadInput(f"{file}: cannot be read: {fault.strerror}") from fault
    if not isinstance(opened, OpenedBundle) or not any(isinstance(entry, BundleEntry) for entry in opened.entries):
        raise BadInput(f"{file}: no QuestionnaireResponse or Bundle in JSON that can be read")
    return opened


def _questionnaire(file: Path | None) -> Questionnaire | None:
    if file is None:
        return None
    found = _open(file).entries[0]
    if not isinstance(found, BundleEntry) or not isinstance(found.resource, Questionnaire):
        raise BadInput(f"{file}: no Questionnaire")
    return found.resource


def _as_json(scored: Sequence[ScoredResponse], *, several: bool) -> str:
    objects = [
        {"reference": response.reference, "authored": response.authored, **msgspec.structs.asdict(response.score)}
        for response in scored
    ]
    return msgspec.json.format(msgspec.json.encode({"scores": objects} if several else objects[0]), indent=2).decode()


def _as_text(response: ScoredResponse) -> str:
    result = response.score
    total = "no total" if result.total is None else str(result.total)
    parts = [
        result.instrument,
        total,
        result.severity or "",
        response.authored or "",
        response.reference,
        ", ".join(result.flags),
    ]
    return "  ".join(part for part in parts if part)
