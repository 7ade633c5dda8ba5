"""Past and current courses of TMS, ketamine, esketamine and ECT, and their outcomes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import msgspec

from fhir_plugin.facts.fact import ABSENT, Evidence, Fact, Presence
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.treatments.courses import NO_RESPONSE, PARTIAL, TreatmentCourse, build_courses, judge_courses
from fhir_plugin.facts.treatments.sessions import EvidenceStrength, Session, read_sessions
from fhir_plugin.record.dates import DaySpan
from fhir_plugin.record.record import Record
from mappings.schema.instruments import Instruments
from mappings.schema.treatments import Treatments

INPUTS = {
    "procedure": ("procedures",),
    "medication": (
        "procedures",
        "medicationAdministrations",
        "medicationDispenses",
        "medicationStatements",
        "medicationRequests",
    ),
}
_COMBINED = ("tms", "ketamine")
"""The two modalities of the ``single_modality`` facts: either alone may have failed."""
ONE_DOSE = "one dose alone: may have been anaesthesia or pain care"
"""Why a single dose of a drug with other uses proves no course."""


class _Search(NamedTuple):
    """Where the sessions of some treatments were looked for."""

    missing: tuple[str, ...]
    looked_in: tuple[str, ...]
    nothing: str
    """That the record has no resource of a kind that could show them; empty where it has."""


@dataclass(frozen=True, slots=True)
class TreatmentHistory:
    """Courses, oldest first, with all session entries, and the facts derived from them."""

    courses: tuple[TreatmentCourse, ...]
    sessions: tuple[Session, ...]
    as_of: date
    treatments: Treatments = field(repr=False)
    missing: dict[str, tuple[str, ...]]
    """What could not be read, by the way a treatment is given: ``procedure`` or ``medication``."""
    looked_in: dict[str, tuple[str, ...]]
    silent: frozenset[str]
    """Ways of giving for which the record has no resource at all."""

    def facts(self) -> dict[str, Fact]:
        """The named facts that criteria compare."""
        modalities = sorted({treatment.modality for treatment in self.treatments.by_id.values()})
        names = sorted({*modalities, *self.treatments.by_id})
        searches = {name: self._search((name,)) for name in names}
        judged: list[tuple[str, Sequence[str], _Search]] = [(name, (name,), searches[name]) for name in modalities]
        judged.append(("single_modality", _COMBINED, self._search(_COMBINED)))
        facts = [self._received(name, searches[name]) for name in names]
        for name, of, search in judged:
            facts.append(self._judged(f"{name}.inadequate_response", of, (NO_RESPONSE, PARTIAL), search))
            facts.append(self._judged(f"{name}.partial_response", of, (PARTIAL,), search))
        return {fact.name: fact for fact in facts}

    def _search(self, of: Sequence[str]) -> _Search:
        """Where sessions of treatments were looked for, and what that leaves open."""
        treatments = self.treatments.by_id.values()
        ways = tuple(dict.fromkeys([item.given_as for item in treatments if item.id in of or item.modality in of]))
        return _Search(
            missing=tuple(dict.fromkeys([why for way in ways for why in self.missing[way]])),
            looked_in=tuple([where for way in ways for where in self.looked_in[way]]),
            nothing=f"no entry of the kind that records a {' or '.join(ways)}" if self.silent.issuperset(ways) else "",
        )

    def _of(self, name: str, treatment: str) -> bool:
        return name in (treatment, self.treatments[treatment].modality)

    @staticmethod
    def _fact(name: str, value: Presence, search: _Search) -> Fact:
        name = f"treatments.{name}"
        evidence = (*value.current, *value.past, *value.possible)
        if not evidence and search.nothing:
            return Fact(name=name, value=None, missing=(*search.missing, search.nothing), looked_in=search.looked_in)
        looked_in = tuple(dict.fromkeys(search.looked_in))
        return Fact(name=name, value=value, evidence=evidence, missing=search.missing, looked_in=looked_in)

    def _received(self, name: str, search: _Search) -> Fact:
        if not (self.courses or self.sessions):
            return self._fact(f"{name}.received", ABSENT, search)
        current: list[Evidence] = []
        past: list[Evidence] = []
        in_course: set[str] = set()
        for course in self.courses:
            if self._of(name, course.treatment):
                (past if course.ended else current).append(self.evidence(course))
                in_course |= {session.reference for session in course.sessions}
        possible = []
        for session in self.sessions:
            if not self._of(name, session.treatment) or session.reference in in_course:
                continue
            if session.other_use or session.strength in (EvidenceStrength.ORDERED, EvidenceStrength.UNCLEAR):
                possible.append(self._session_evidence(session))
            else:
                past.append(self._session_evidence(session))
        value = Presence(current=tuple(current), past=tuple(past), possible=tuple(possible))
        return self._fact(f"{name}.received", value, search)

    def _judged(self, name: str, of: Sequence[str], kinds: Sequence[str], search: _Search) -> Fact:
        if not self.courses:
            return self._fact(name, ABSENT, search)
        current, possible = [], []
        for course in self.courses:
            if not any(self._of(modality, course.treatment) for modality in of):
                continue
            doubt = self._doubt(course)
            if doubt:
                possible.append(self.evidence(course, doubt))
            elif course.outcome.kind in kinds:
                current.append(self.evidence(course))
        return self._fact(name, Presence(current=tuple(current), possible=tuple(possible)), search)

    def _doubt(self, course: TreatmentCourse) -> str:
        """Why the outcome does not count as that of one completed treatment given alone; empty if it does."""
        if course.together_with:
            return f"given together with {' and '.join(course.together_with)}"
        if course.completed is None:
            return "the number of sessions is not known to complete a course"
        if not course.completed:
            needed = self.treatments[course.treatment].course.completed_at
            state = "ended" if course.ended else "under way"
            return f"{state} after {course.count} of {needed.value if needed else '?'} sessions"
        return "" if course.outcome.kind else f"the response cannot be judged: {course.outcome.why}"

    def evidence(self, course: TreatmentCourse, note: str = "") -> Evidence:
        """A course as evidence, labelled with its treatment, its number of sessions and its days."""
        many = f"{'' if course.counted else 'at least '}{course.count} session{'s' if course.count != 1 else ''}"
        outcome = course.outcome
        if not note and outcome.kind and outcome.baseline and outcome.end and outcome.percent is not None:
            note = (
                f"{outcome.kind}: {outcome.baseline.instrument} {outcome.baseline.total:g} to {outcome.end.total:g} "
                f"({-outcome.percent:+.0f} %)"
            )
        return Evidence(
            reference=course.sessions[-1].reference,
            label=f"{self.treatments[course.treatment].short}: {many}, {course.first} to {course.last}",
            name=self.treatments[course.treatment].short,
            day=DaySpan(course.last, course.last),
            note=note,
        )

    def _session_evidence(self, session: Session) -> Evidence:
        note = session.other_use or ("" if session.strength is EvidenceStrength.GIVEN else session.strength.value)
        name = self.treatments[session.treatment].short
        return Evidence(reference=session.reference, label=session.label, name=name, day=session.span, note=note)


def read_treatments(
    record: Record,
    treatments: Treatments,
    as_of: date,
    assessments: Sequence[Assessment] = (),
    instruments: Instruments | None = None,
) -> TreatmentHistory:
    """All courses up to ``as_of``; responses are judged if ``assessments`` and ``instruments`` are given."""
    sessions = [entry for entry in read_sessions(record, treatments) if entry.span is None or entry.span.first <= as_of]
    given = _given_days(sessions)
    sessions = [_with_doubt(session, given, treatments) for session in sessions]
    courses = build_courses(sessions, treatments, as_of)
    if instruments:
        courses = judge_courses(courses, assessments, treatments, instruments)
    counts = {name: len(record.input(name).resources) for names in INPUTS.values() for name in names}
    return TreatmentHistory(
        courses=courses,
        sessions=tuple(
            sorted(sessions, key=lambda entry: (entry.span or DaySpan(date.min, date.min), entry.reference))
        ),
        as_of=as_of,
        treatments=treatments,
        missing={way: record.gaps(names) for way, names in INPUTS.items()},
        looked_in={way: tuple(f"{name} ({counts[name]})" for name in names) for way, names in INPUTS.items()},
        silent=frozenset(way for way, names in INPUTS.items() if not any(counts[name] for name in names)),
    )


def _given_days(sessions: Iterable[Session]) -> dict[str, set[DaySpan | None]]:
    """The days on which each treatment was given."""
    days: dict[str, set[DaySpan | None]] = {}
    for session in sessions:
        if session.strength is EvidenceStrength.GIVEN:
            days.setdefault(session.treatment, set()).add(session.span)
    return days


def _with_doubt(session: Session, given: Mapping[str, Collection[DaySpan | None]], treatments: Treatments) -> Session:
    """The session, marked as doubtful if it is a single dose of a drug with other uses, which proves no course."""
    rule = treatments[session.treatment].other_use
    if rule is None or session.other_use or session.strength is not EvidenceStrength.GIVEN:
        return session
    if len(given[session.treatment]) > rule.single_session.value:
        return session
    return msgspec.structs.replace(session, other_use=ONE_DOSE)
