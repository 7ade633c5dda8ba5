"""Scores over time: all assessments on the record, without duplicates, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from fhir_plugin.errors import WrongQuestionnaire
from fhir_plugin.facts.fact import Count, Evidence, Fact, Measurement, Presence
from fhir_plugin.facts.scores.assessment import Assessment, measured
from fhir_plugin.facts.scores.merging import AssessmentCollector, in_order
from fhir_plugin.facts.scores.survey_observations import GatheredAnswers, gather_scores, moment_of
from fhir_plugin.facts.scores.unscored import UnscoredForm, unrecognised_form, unscored_assessments
from fhir_plugin.record.dates import DaySpan, day_span, instant, is_within
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Observation, QuestionnaireResponse
from fhir_plugin.scales.scoring import Score, score_all
from mappings.schema.instruments import Instruments
from mappings.schema.instruments.model import Instrument

INPUTS = ("questionnaireResponses", "observations")
_BASELINE, _DAYS_SINCE = "scores.depression.baseline", "scores.depression.days_since"
_SIGNAL, _UNREAD_SIGNAL = "suicide.signal", "suicide.unread"
_UNSCORED = "scores.unscored"
_UNDATED = DaySpan(date.min, date.min)


@dataclass(frozen=True, slots=True)
class ScoreHistory:
    """All assessments of a patient, oldest first, and the facts derived from them."""

    assessments: tuple[Assessment, ...]
    instruments: Instruments = field(repr=False)
    as_of: date
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    looked_in: tuple[str, ...] = ()
    observations_whole: bool = True
    unscored: tuple[UnscoredForm, ...] = ()
    """The questionnaires that gave no score, oldest first."""

    def series(self, instrument: str) -> tuple[Assessment, ...]:
        """The usable assessments of one instrument, oldest first."""
        return tuple(entry for entry in self.assessments if entry.instrument == instrument and entry.usable)

    def facts(self) -> dict[str, Fact]:
        """The named facts that criteria compare."""
        by_instrument: dict[str, list[Assessment]] = {}
        for assessment in self.assessments:
            by_instrument.setdefault(assessment.instrument, []).append(assessment)
        baseline = self._baseline()
        suicide_items = [
            self._suicide_item(form.instrument, by_instrument.get(name, []))
            for name, form in self.instruments.forms.items()
            if form.instrument.suicide
        ]
        denied = self._denied()
        unread = self._unread_signals(denied)
        # Those of known instruments stand in the facts of these.
        unknown = tuple(entry for entry in unread if entry.name == self.instruments.signals.form)
        facts = [
            *(
                self._latest(form.instrument, by_instrument.get(name, []))
                for name, form in self.instruments.forms.items()
            ),
            baseline,
            self._days_since(baseline),
            *suicide_items,
            self._suicide_signal(suicide_items, denied, unknown),
            self._fact(_UNREAD_SIGNAL, Presence(possible=unread)),
            self._fact(_UNSCORED, Presence(possible=tuple(form.evidence for form in self.unscored))),
            self._unrecorded(),
        ]
        return {fact.name: fact for fact in facts}

    def evidence(self, assessment: Assessment, note: str = "") -> Evidence:
        """An assessment as evidence, labelled with the name of the instrument and its value."""
        values = [f"{assessment.total:g}"] if assessment.total is not None else []
        values += [f"({assessment.severity})" if values else assessment.severity] if assessment.severity else []
        short = self.instruments[assessment.instrument].short
        return Evidence(
            reference=assessment.reference,
            label=" ".join((short, *values)),
            name=short,
            day=assessment.day,
            note=note,
        )

    def _fact(
        self,
        name: str,
        value: Presence | Measurement | Count | None,
        evidence: Iterable[Evidence] = (),
        missing: Iterable[str] = (),
    ) -> Fact:
        return Fact(
            name=name,
            value=value,
            evidence=tuple(evidence),
            unread=self.unread,
            absent=value is None and not self.missing,
            missing=(*missing, *self.missing),
            looked_in=self.looked_in,
        )

    def _latest(self, instrument: Instrument, of_instrument: Sequence[Assessment]) -> Fact:
        name, short = f"scores.{instrument.id}.latest", instrument.short
        usable = [assessment for assessment in of_instrument if assessment.usable]
        if not usable:
            why = f"{short}: no completed assessment could be scored" if of_instrument else f"no {short} on the record"
            return self._fact(name, None, missing=(why,))
        latest = usable[-1]
        newer = of_instrument[-1] is not latest and not _same_day(of_instrument[-1], latest)
        missing = (f"a newer {short} could not be scored: {', '.join(of_instrument[-1].flags)}",) if newer else ()
        return self._fact(
            name, measured(instrument, latest), (self.evidence(latest, self._contradiction(latest)),), missing
        )

    def _contradiction(self, assessment: Assessment) -> str:
        """The note of a total beside which others of the same time are recorded."""
        flags = (flag.partition(":") for flag in assessment.flags)
        totals = ", ".join(total for name, _, total in flags if name == "contradictory_total")
        return self.instruments.signals.contradictory.format(totals=totals) if totals else ""

    def _baseline(self) -> Fact:
        depression = [
            assessment
            for assessment in self.assessments
            if assessment.total is not None
            and self.instruments[assessment.instrument].measures == "depression"
            and self.instruments[assessment.instrument].response
        ]
        if not depression:
            return self._fact(_BASELINE, None, missing=("no scored depression scale on the record",))
        latest = depression[-1]
        return self._fact(_BASELINE, measured(self.instruments[latest.instrument], latest), (self.evidence(latest),))

    def _days_since(self, baseline: Fact) -> Fact:
        """How many days ago depression was last measured, to decide whether a measurement is due."""
        day = baseline.value.day if isinstance(baseline.value, Measurement) else None
        if day is None:
            return msgspec.structs.replace(baseline, name=_DAYS_SINCE, value=None)
        least, most = day.days_before(self.as_of)
        value = Count(low=max(0, least), high=most, unit="d")
        return msgspec.structs.replace(baseline, name=_DAYS_SINCE, value=value)

    def _suicide_item(self, instrument: Instrument, asked: Sequence[Assessment]) -> Fact:
        name = f"scores.{instrument.id}.suicide_item"
        if not asked:
            return self._fact(name, None, missing=(f"no {instrument.short} on the record",))
        *earlier, latest = asked
        positive = [answer for answer in earlier if answer.suicide_item_positive]
        maybe_latest = [answer for answer in positive if not _certainly_before(answer, latest)]
        past = tuple(self.evidence(answer) for answer in positive if _certainly_before(answer, latest))
        current, possible = self._latest_answers([*maybe_latest, latest])
        newest = (*current, *possible)
        if not newest:
            newest = (self.evidence(latest, "suicide item negative"),)
        return self._fact(name, Presence(current=current, past=past, possible=possible), (*newest, *past))

    def _latest_answers(self, answers: Sequence[Assessment]) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
        """The current and the possible ones of the answers that may be the latest, newest first."""
        current: list[Evidence] = []
        possible: list[Evidence] = []
        signals, dated = self.instruments.signals, answers[-1].day is not None
        for answer in reversed(answers):
            if answer.suicide_item_positive is None:
                possible.append(self.evidence(answer, "the suicide item is not on the record"))
            elif answer.suicide_item_positive and self._is_long_ago(answer):
                possible.append(self.evidence(answer, signals.long_ago))
            elif answer.suicide_item_positive and answer.day is None and dated:
                possible.append(self.evidence(answer, signals.undated))
            elif answer.suicide_item_positive:
                current.append(self.evidence(answer, "suicide item positive"))
            elif not self._is_recent(answer):
                possible.append(self.evidence(answer, signals.negative_long_ago))
        return tuple(current), tuple(possible)

    def _is_long_ago(self, assessment: Assessment) -> bool:
        """Whether a positive answer is certainly too old to count as current; an undated one never is."""
        return self._is_old(assessment.day)

    def _is_old(self, day: DaySpan | None) -> bool:
        return day is not None and day.days_before(self.as_of)[0] > self.instruments.signals.positive_for_days.value

    def _is_recent(self, assessment: Assessment) -> bool:
        """Whether a negative answer is certainly recent enough to count today; an undated one never is."""
        days = self.instruments.signals.negative_for_days.value
        return is_within(assessment.day, days, self.as_of)

    def _suicide_signal(self, items: Sequence[Fact], denied: date, unknown: tuple[Evidence, ...]) -> Fact:
        """All instruments together: one positive answer is enough, and no other scale outweighs it.

        A possible signal of an older assessment is resolved by a newer negative answer. ``unknown`` are forms of no
        known instrument that may tell of suicide.
        """
        presences = [fact.value for fact in items if isinstance(fact.value, Presence)]
        if not presences and not unknown:
            return self._fact(_SIGNAL, None, missing=(self._not_asked(),))
        value = Presence(
            current=tuple(entry for presence in presences for entry in presence.current),
            past=tuple(entry for presence in presences for entry in presence.past),
            possible=tuple(
                entry for presence in presences for entry in presence.possible if not self._is_resolved(entry, denied)
            )
            + unknown,
        )
        return self._fact(_SIGNAL, value, [*(entry for fact in items for entry in fact.evidence), *unknown])

    def _not_asked(self) -> str:
        """Why nothing is known of suicidal thoughts."""
        signals, forms = self.instruments.signals, sum(not form.evidence.name for form in self.unscored)
        return signals.not_recognised.format(count=forms) if forms else signals.not_asked

    def _denied(self) -> date:
        """The last day on which an instrument that asks about suicide was answered with no."""
        answers = (answer for answer in self.assessments if answer.suicide_item_positive is False)
        return max((answer.day.first for answer in answers if answer.day), default=date.min)

    def _unread_signals(self, denied: date) -> tuple[Evidence, ...]:
        """The questionnaires that may tell of suicide and could not be read, unless old or answered no since."""
        may_tell = [form.evidence for form in self.unscored if form.may_tell_of_suicide]
        return tuple(
            entry if entry.name else msgspec.structs.replace(entry, name=self.instruments.signals.form)
            for entry in may_tell
            if not self._is_resolved(entry, denied) and not self._is_old(entry.day)
        )

    def _is_resolved(self, possible: Evidence, denied: date) -> bool:
        """Whether the latest negative answer, given on the day ``denied``, is certainly newer."""
        day = possible.day
        if day is None and possible.note == self.instruments.signals.negative_long_ago:
            day = _UNDATED
        return day is not None and denied > day.last

    def _unrecorded(self) -> Fact:
        unrecorded = tuple(
            self.evidence(assessment, "scored here, not recorded as an Observation")
            for assessment in self.assessments
            if assessment.usable
            and not assessment.recorded_as
            and assessment.reference.startswith("QuestionnaireResponse/")
        )
        value = Presence(current=unrecorded) if self.observations_whole else Presence(possible=unrecorded)
        return self._fact("scores.unrecorded", value, unrecorded)


def read_scores(record: Record, instruments: Instruments, as_of: date) -> ScoreHistory:
    """All assessments up to ``as_of``: responses scored, Observations read, duplicates merged."""
    sex = record.patient.gender if record.patient else None
    responses = list(record.all("questionnaireResponses", QuestionnaireResponse))
    observations = list(record.all("observations", Observation))
    unknown: list[UnscoredForm] = []
    collector = AssessmentCollector(
        instruments,
        (assessment for response in responses for assessment in _from_response(response, instruments, sex, unknown)),
    )
    for gathered, scored in gather_scores(observations, instruments, sex):
        collector.merge(_from_observations(gathered, scored), gathered)
    past = ((entry, time) for entry, time in collector.collected() if entry.day is None or entry.day.first <= as_of)
    ordered = tuple(in_order(past, instruments))
    unscored = (*unknown, *unscored_assessments(ordered, instruments))
    return ScoreHistory(
        assessments=ordered,
        unscored=tuple(sorted(unscored, key=lambda form: (form.evidence.day or _UNDATED).first)),
        instruments=instruments,
        as_of=as_of,
        missing=record.gaps(INPUTS),
        unread=record.unread_of(INPUTS),
        looked_in=(f"questionnaireResponses ({len(responses)})", f"observations ({len(observations)})"),
        observations_whole=record.input("observations").whole,
    )


def _from_response(
    response: QuestionnaireResponse,
    instruments: Instruments,
    sex: str | None,
    unknown: list[UnscoredForm],
) -> Iterator[Assessment]:
    """The assessments in a response; one of no known instrument is added to ``unknown``."""
    if response.status == "entered-in-error":
        return
    try:
        for scored in score_all(response, instruments, sex=sex):
            yield _assessment(scored, response.authored, response.reference)
    except WrongQuestionnaire:
        if form := unrecognised_form(response, instruments.signals):
            unknown.append(form)


def _from_observations(gathered: GatheredAnswers, scored: Score) -> Assessment:
    moment = next(filter(None, map(moment_of, gathered.sources)), None) or gathered.sources[0].issued
    references = tuple([source.reference for source in gathered.sources])
    return _assessment(scored, moment, references[0], references)


def _assessment(scored: Score, moment: str | None, reference: str, recorded_as: tuple[str, ...] = ()) -> Assessment:
    return Assessment(
        instrument=scored.instrument,
        total=scored.total,
        day=day_span(moment),
        moment=moment,
        reference=reference,
        flags=scored.flags,
        suicide_item_positive=scored.suicide_positive,
        severity=scored.severity,
        items=scored.items,
        recorded_as=recorded_as,
    )


def _certainly_before(one: Assessment, other: Assessment) -> bool:
    """Whether ``one`` was certainly answered before ``other``, by day or, on the same day, by time."""
    if one.day is None or other.day is None:
        return False
    if one.day.last < other.day.first:
        return True
    times = instant(one.moment), instant(other.moment)
    return times[0] is not None and times[1] is not None and times[0] < times[1]


def _same_day(one: Assessment, other: Assessment) -> bool:
    return one.day is not None and one.day == other.day
