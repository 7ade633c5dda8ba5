"""A dossier as sections with tables, the same for every format; text of the record is marked as such. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from fhir_plugin.courses.report import NO_NOTES, CourseNotes
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.facts.fact import Evidence
from fhir_plugin.facts.trials.outcomes import FAILURES
from fhir_plugin.payers.checklist import Checklist
from fhir_plugin.payers.dossier import DatedLine, Dossier, SafetyLine, TrialLine
from mappings.schema.load import Knowledge
from mappings.schema.texts.dossier import SectionKey


class CellPart(NamedTuple):
    """A part of a cell."""

    text: str
    kind: Literal["words", "record", "reference", "verdict"] = "words"
    """``record`` and ``reference`` are text of the record, to be escaped by the format; a verdict has a sign."""
    verdict: str = ""
    weight: Literal["for", "against", "care"] = "for"
    """Whether ``met`` is for the treatment, against it, or a caution."""


Cell = tuple[CellPart, ...]


class Section(NamedTuple):
    """One section."""

    key: SectionKey
    title: str
    lead: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str
    notes: tuple[str, ...] = ()
    """Sentences that must not be overlooked, such as an overdue review."""


MAX_EVIDENCE = 3
"""Pieces of evidence in one cell."""


def sections(dossier: Dossier, knowledge: Knowledge, course: CourseNotes = NO_NOTES) -> tuple[Section, ...]:
    """Every section; the gaps come first. ``course`` are the sentences about the scales, the worst first."""
    return (
        _section(knowledge, "gaps", ([_words(gap)] for gap in dossier.gaps)),
        _section(knowledge, "patient", _patient(dossier, knowledge)),
        *(_checklist(payer_list, knowledge) for payer_list in dossier.checklists),
        _section(knowledge, "diagnoses", _diagnoses(dossier)),
        _section(
            knowledge, "trials", _trials(dossier, knowledge), policy=dossier.trial_policy, episode=str(dossier.episode)
        ),
        _section(knowledge, "psychotherapy", (_dated(line) for line in dossier.psychotherapy)),
        _section(knowledge, "scores", _scores(dossier, knowledge), course.alerts, course=" ".join(course.changes)),
        _section(knowledge, "courses", (_course(line) for line in dossier.courses)),
        _section(
            knowledge,
            "safety",
            (_safety(line, knowledge) for line in dossier.safety),
            protocol=dossier.protocol,
            standing=dossier.standing,
        ),
        _section(knowledge, "sources", ([_words(source.citation), _words(source.read)] for source in dossier.sources)),
    )


def _section(
    knowledge: Knowledge, key: SectionKey, rows: Iterable[Sequence[Cell]], notes: tuple[str, ...] = (), **values: str
) -> Section:
    words = knowledge.dossier.sections[key]
    return Section(
        key=key,
        title=words.title.format(**values),
        lead=words.lead.format(**values),
        header=words.header,
        rows=tuple(tuple(row) for row in rows),
        empty=words.empty,
        notes=notes,
    )


def _words(text: str) -> Cell:
    return (CellPart(text),) if text else ()


def _record(*texts: str) -> Cell:
    return tuple(CellPart(text, "record") for text in texts if text)


def _reference(*references: str) -> Cell:
    return tuple(CellPart(reference, "reference") for reference in references if reference)


def _verdict(verdict: Verdict, text: str, weight: Literal["for", "against", "care"] = "for") -> Cell:
    return (CellPart(text, "verdict", verdict.value, weight),)


def _evidence(evidence: Sequence[Evidence]) -> Cell:
    pieces: list[CellPart] = []
    for item in evidence[:MAX_EVIDENCE]:
        day = f"({item.day})" if item.day else ""
        pieces += [*_record(item.label), *_words(day), *_reference(item.reference)]
    more = len(evidence) - MAX_EVIDENCE
    return (*pieces, *_words(f"+ {more}")) if more > 0 else tuple(pieces)


def _references(references: Sequence[str]) -> Cell:
    more = len(references) - MAX_EVIDENCE
    return _reference(*references[:MAX_EVIDENCE]) + _words(f"+ {more}" if more > 0 else "")


def _patient(dossier: Dossier, knowledge: Knowledge) -> Iterator[list[Cell]]:
    words, person = knowledge.dossier.patient, dossier.person
    yield [_words(words["name"]), _record(person.name)]
    yield [_words(words["born"]), _record(person.born)]
    yield from ([_words(words["identifier"]), _record(identifier)] for identifier in person.identifiers)
    yield [_words(words["record_id"]), _reference(f"Patient/{person.id}")]
    for cover in dossier.covers:
        yield [_words(words["payer"]), _record(cover.payer) + _reference(cover.reference)]
        yield [_words(words["plan"]), _record(cover.plan)]
        yield [_words(words["member"]), _record(cover.member)]


def _checklist(payer_list: Checklist, knowledge: Knowledge) -> Section:
    words = knowledge.dossier.verdicts
    rows = (
        [
            _words(item.title),
            _verdict(item.verdict, words[item.verdict.value]),
            _words(item.because),
            _evidence(item.evidence),
        ]
        for item in payer_list.items
    )
    return _section(
        knowledge,
        "checklist",
        rows,
        notes=tuple(note for note in (payer_list.overdue, payer_list.note) if note),
        policy=payer_list.title,
        dated=payer_list.dated[:1].upper() + payer_list.dated[1:],
        counts=knowledge.dossier.counts.format(**{verdict.value: len(payer_list.of(verdict)) for verdict in Verdict}),
        reviewed=str(payer_list.reviewed),
        due=str(payer_list.review_due),
    )


def _diagnoses(dossier: Dossier) -> Iterator[list[Cell]]:
    for diagnosis in dossier.diagnoses:
        yield [
            _record(diagnosis.label),
            _record(*diagnosis.codes),
            _record(diagnosis.status),
            _words(diagnosis.since),
            _reference(diagnosis.reference),
        ]


def _trials(dossier: Dossier, knowledge: Knowledge) -> Iterator[list[Cell]]:
    words = knowledge.dossier.trial
    yield from (_trial(line, knowledge) for line in dossier.trials)
    for status, lines in ((words.added, dossier.augmentations), (words.not_recognised, dossier.unnamed)):
        for line in lines:
            drug = _record(line.label)
            yield [drug, (), _words(line.day), (), (), (), (), _words(status), _reference(line.reference)]


def _trial(line: TrialLine, knowledge: Knowledge) -> list[Cell]:
    trial, words, wording = line.trial, knowledge.dossier.trial, knowledge.medications.wording
    outcome = wording.outcomes[trial.outcome]
    if trial.outcome in FAILURES and trial.outcome_documented:
        outcome += f" ({words.documented})"
    flags = "".join(f"; {wording.flags[flag]}" for flag in trial.flags)
    return [
        _words(f"{trial.ingredient} ({words.earlier})" if line.earlier else trial.ingredient),
        _words(trial.drug_class),
        _words(str(trial.start or "")),
        _words(str(trial.stop) if trial.stop else words.ongoing),
        _words(_dose(line, knowledge)),
        _words(str(trial.adequate_days)),
        _verdict(Verdict(trial.adequate), knowledge.dossier.verdicts[Verdict(trial.adequate).value]),
        _words(f"{outcome}: {trial.outcome_because}; {wording.evidence[trial.evidence_grade]}{flags}"),
        _references(trial.references),
    ]


def _dose(line: TrialLine, knowledge: Knowledge) -> str:
    trial, words = line.trial, knowledge.dossier.trial
    if trial.highest_daily_dose is None:
        return words.no_dose
    if trial.minimum_daily_dose is None:
        return f"{trial.highest_daily_dose:g}"
    return words.dose.format(
        dose=f"{trial.highest_daily_dose:g}", minimum=f"{trial.minimum_daily_dose:g}", instrument=trial.instrument
    )


def _dated(line: DatedLine) -> list[Cell]:
    return [_words(line.day), _record(line.label) + _words(line.note), _reference(line.reference)]


def _course(line: DatedLine) -> list[Cell]:
    return [_record(line.label), _words(line.note), _reference(line.reference)]


def _scores(dossier: Dossier, knowledge: Knowledge) -> Iterator[list[Cell]]:
    answers = knowledge.dossier.yes_no
    yes_no = {True: answers["true"], False: answers["false"], None: answers["none"]}
    for score in dossier.scores:
        yield [
            _words(score.day),
            _words(score.scale),
            _words("" if score.total is None else f"{score.total:g}"),
            _words(score.severity or ""),
            _words(yes_no[score.suicide_item_positive]),
            _references(score.references),
        ]


def _safety(line: SafetyLine, knowledge: Knowledge) -> list[Cell]:
    words = knowledge.dossier.safety
    looked = f"({', '.join(line.looked_in)})" if line.looked_in and line.verdict is Verdict.NOT_MET else ""
    return [
        _words(line.title),
        _verdict(line.verdict, words[line.verdict.value], "against" if line.bars else "care"),
        _words(f"{line.because} {looked}".strip()),
        _evidence(line.evidence),
    ]
