"""Where each number of a card comes from: a line of the card at a time, against what that line may rest on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from cds_hooks.cards.builder import CardContext
from cds_hooks.protocol.responses import Card
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.phrases import ago_words, date_words
from fhir_plugin.facts.fact import Count, Evidence, Fact, Measurement
from fhir_plugin.payers.checklist import checklist
from fhir_plugin.record.dates import DaySpan
from mappings.schema.payers.model import PayerPolicy
from mappings.schema.rules.criteria import Criterion
from mappings.schema.rules.protocols import Role
from tests.support.shipped import shipped

_MONTH = f"(?:{'|'.join(shipped().wording.days.months)})"
_NUMBER = re.compile(
    rf"(?<![\w.])\d+ days ago\b|(?<![\w.])\d\d? {_MONTH}\b|\b{_MONTH} \d{{4}}\b"
    r"|(?<![\w.])\d+(?:-\d\d){0,2}(?:[.,]\d+)*(?!\w)"
)
_REFERENCE = re.compile(r"`([A-Z]\w+/[\w.-]+)`")

Origins = Mapping[str, str]
"""Number as it is written -> where it is from."""


def numbers(text: str) -> list[str]:
    """Every number and date that stands by itself in a text; a date in words, ``25 Nov``, is one piece."""
    return _NUMBER.findall(text)


def untraced(card: Card, telling: CardContext, resources: Mapping[str, Any]) -> list[str]:
    """The numbers of a card that nothing accounts for, with their lines; ``resources`` by reference."""
    prose, rows = _prose(telling), _rows(telling, resources)
    told = {**prose, **_of_findings(rows, telling), **_courses(telling), **_scores(telling)}
    trials = {f"* {trial.line}": _trial(telling) for trial in telling.decision.facts.trials.trials}
    found = []
    for line in (card.summary, *card.detail.splitlines()):
        finding, *record = line.split(" | ") if line.startswith("| ") else (line, "")
        title = finding.removeprefix("| ")
        if line.startswith("| ") and title in rows:
            said, *others = record
            parts = [(said, rows[title].finding), (" ".join((title, *others)), rows[title].record)]
        else:
            parts = [(_uncounted(line, telling), trials.get(line) or _of_line(line, rows, telling) or told)]
        found += [f"{each} in {text}" for text, allowed in parts for each in _shown(text) if each not in allowed]
    return found


def _shown(text: str) -> list[str]:
    return numbers(_REFERENCE.sub("", text))


def _uncounted(line: str, telling: CardContext) -> str:
    """The line without how many more there are of something, which is at most as much as the protocol asks."""
    words, most = telling.words, len(telling.protocol.clauses)
    for template in (words.headline.more, words.brief.more_asks, words.brief.table_cut):
        for found in re.finditer(re.escape(template).replace(r"\{count\}", r"(\d+)"), line):
            assert 0 < int(found[1]) <= most, line
            line = line.replace(found[0], "")
    return line


def _of_findings(rows: Mapping[str, Row], telling: CardContext) -> Origins:
    """What headlines and reasons may say: phrases of the criteria with the values and days of their rows."""
    found: dict[str, str] = {}
    for row in rows.values():
        found |= {**row.finding, **row.record}
    for each in telling.knowledge.criteria.values():
        phrases = [text for text in (each.phrases.met, each.phrases.not_met) if text]
        found |= _texts(f"{each.id}: phrases", [each.short, *phrases])
    clauses = [text for clause in telling.protocol.clauses for text in (clause.why, clause.do or "")]
    return {**found, **_texts("clauses", clauses), **_absent(telling)}


def _absent(telling: CardContext) -> Origins:
    looked_for = (Role.CONTRAINDICATION, Role.HOLD, Role.CAUTION)
    return {
        f"{sum(w.role in looked_for and w.finding.verdict == 'not_met' for w in answer.weighed)}": "not found"
        for answer in telling.decision.recommendation.treatments
    }


def _written(day: DaySpan | None, telling: CardContext) -> list[str]:
    """The ways in which a card may write a day."""
    if day is None:
        return []
    days = telling.knowledge.wording.days
    return [str(day), date_words(day, telling.as_of, days), ago_words(day, telling.as_of, days)]


def _of_line(line: str, rows: Mapping[str, Row], telling: CardContext) -> Origins | None:
    """What the paragraph of a finding or a payer's checklist may say."""
    for finding in telling.decision.findings:
        if line.startswith(finding.because):
            row = rows[telling.title(finding.criterion)]
            return {**row.finding, **row.record}
    for policy in telling.knowledge.payers.policies.values():
        if policy.title in line:
            return _of_policy(policy, telling)
    return None


def _of_policy(policy: PayerPolicy, telling: CardContext) -> Origins:
    findings = {finding.criterion: finding for finding in telling.decision.findings}
    made = checklist(policy, telling.decision.facts, findings, telling.knowledge)
    counts = [len(made.of(verdict)) for verdict in Verdict]
    more = [count - telling.words.payer.named for count in counts]
    found = _texts(f"payers/{policy.id}", _strings(policy.model_dump(mode="json")))
    return found | _texts("count of the checklist", [f"{count}" for count in (*counts, *more)])


def unknown_references(card: Card, resources: Mapping[str, Any]) -> list[str]:
    """References of a card to what is not on the record."""
    return [each for each in _REFERENCE.findall(card.detail) if each not in resources]


class Row(NamedTuple):
    """What the cell with the finding may say, and what the cells about the record may."""

    finding: Origins
    record: Origins


def _rows(telling: CardContext, resources: Mapping[str, Any]) -> dict[str, Row]:
    """By the title of a criterion: its own numbers, the values of its facts, and the resources that they rest on."""
    rows = {}
    for finding in telling.decision.findings:
        criterion = telling.knowledge.criteria[finding.criterion]
        facts = [telling.decision.facts.named[name] for name in criterion.facts]
        rows[criterion.title] = Row(
            finding={
                **_of_criterion(criterion, telling),
                **_of_facts(facts, resources, telling),
                **_texts("when", [text for each in finding.evidence for text in _written(each.day, telling)]),
                **_texts("names", [each.name for each in finding.evidence]),
                **_texts(f"{criterion.id}: missing", finding.missing),
            },
            record=_of_evidence(finding.evidence, telling, resources) | _texts("title", [criterion.title]),
        )
    return rows


def _of_criterion(criterion: Criterion, telling: CardContext) -> dict[str, str]:
    known = {f"{number:g}": f"{criterion.id}.yaml: {key}" for key, number in criterion.numbers.items()}
    titles = [criterion.title, *(telling.knowledge.facts[name].title for name in criterion.facts)]
    joined = "/".join(f"{number:g}" for number in criterion.limits.values())
    return known | _texts(f"{criterion.id}.yaml", [*titles, joined])


def _of_facts(facts: Iterable[Fact], resources: Mapping[str, Any], telling: CardContext) -> dict[str, str]:
    found: dict[str, str] = {}
    for fact in facts:
        if isinstance(fact.value, Count):
            found |= {f"{bound}": fact.name for bound in (fact.value.low, fact.value.high) if bound is not None}
            found[f"{fact.value.low}-{fact.value.high}"] = fact.name
        elif isinstance(fact.value, Measurement):
            for value in fact.value.components.values():
                found[f"{value:g}"] = fact.name
                if not fact.name.startswith("scores."):  # a score is a sum; any other value stands in its resource
                    held = {number for each in fact.evidence for number in _held(resources[each.reference])}
                    assert f"{value:g}" in held, (fact.name, value)
            found |= _texts(fact.name, _written(fact.value.day, telling))
    return found


def _of_evidence(evidence: Iterable[Evidence], telling: CardContext, resources: Mapping[str, Any]) -> dict[str, str]:
    """Words of the record stand in their resource; what was worked out stands in the course or the assessment."""
    pieces = list(evidence)
    found: dict[str, str] = {}
    for piece in pieces:
        found |= dict.fromkeys(_held(resources[piece.reference]), piece.reference)
        found |= _texts(piece.reference, [*_written(piece.day, telling), piece.name])
    return found | _courses(telling) | _scores(telling) | {f"{len(pieces) - 3}": "how many more"}


def _held(resource: Any) -> list[str]:
    """Every number and date of a resource; of a moment also its day."""
    text = msgspec.json.encode(resource).decode()
    return [*numbers(re.sub(r"[\"T:/]", " ", text)), *(f"{float(each):g}" for each in re.findall(r"\d+\.\d+", text))]


def _courses(telling: CardContext) -> dict[str, str]:
    found: dict[str, str] = {}
    for course in telling.decision.facts.treatments.courses:
        where = f"course of {course.treatment}"
        percent = [] if course.outcome.percent is None else [f"{abs(course.outcome.percent):.0f}"]
        needed = telling.knowledge.treatments[course.treatment].course.completed_at
        found |= _texts(where, [str(course.first), str(course.last), f"{course.count}", *percent])
        found |= {f"{needed.value:g}": f"{course.treatment}.yaml"} if needed else {}
    return found


def _scores(telling: CardContext) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in telling.decision.facts.scores.assessments:
        form = telling.knowledge.instruments.forms[each.instrument].instrument
        total = [] if each.total is None else [f"{each.total:g}"]
        found |= _texts(f"{each.instrument} of {each.reference}", [str(each.day), form.short, *total])
    return found


def _trial(telling: CardContext) -> Origins:
    """What a line about a trial may say: what the trials were worked out to be, and the words of the product."""
    found = {
        **_scores(telling),
        **_texts("medications/wording.yaml", telling.knowledge.medications.wording.flags.values()),
    }
    history = telling.decision.facts.trials
    for trial in (*history.trials, *history.lifetime_trials):
        doses = [each for each in (trial.highest_daily_dose, trial.minimum_daily_dose) if each is not None]
        values = [f"{trial.adequate_days}", str(trial.start), str(trial.stop), *(f"{dose:g}" for dose in doses)]
        found |= _texts(f"trial of {trial.ingredient}", [*values, trial.instrument or ""])
    return found | _courses(telling) | _texts("augmentations", [str(each.start) for each in history.augmentations])


def _prose(telling: CardContext) -> Origins:
    """The sentences of the product that this decision brings, the counts of what was read, and the day."""
    knowledge, decision = telling.knowledge, telling.decision
    protocols = [knowledge.protocols[made.protocol] for made in (decision.recommendation, *decision.beside)]
    pathways = [answer.pathway for made in (decision.recommendation, *decision.beside) for answer in made.pathways]
    found = _texts("cards.yaml", _strings(msgspec.to_builtins(telling.words.model_dump(mode="json"))))
    found |= _texts("criteria", [text for each in knowledge.criteria.values() for text in (each.title, each.ask.words)])
    found |= _texts("protocols", [each.title for each in protocols])
    found |= _texts("pathways", [text for each in pathways for text in (each.title, each.says)])
    found |= _texts(
        "factors",
        [
            text
            for each in protocols
            for factor in each.factors.values()
            for text in (factor.question, factor.beyond_the_record)
        ],
    )
    for conflict in decision.recommendation.conflicts:
        says = (conflict.topic, conflict.resolution, *conflict.positions.values())
        found |= _texts("conflicts.yaml", [*says, *(knowledge.sources[key].short for key in conflict.positions)])
    found |= {f"{len(each.resources)}": f"count of {name}" for name, each in decision.record.inputs.items()}
    for answer in decision.recommendation.treatments:
        found |= {
            f"{len(answer.weighed)}": "criteria",
            f"{len([w for w in answer.weighed if w.role == 'required'])}": "required",
        }
        met = [w for w in answer.weighed if w.role == "required" and w.finding.verdict == "met"]
        found[f"{len(met)}"] = "required and met"
    return found | {str(telling.as_of): "the day", knowledge.digest[:12]: "digest"}


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _strings(each)]
    return [value] if isinstance(value, str) else []


def _texts(where: str, texts: Iterable[str]) -> dict[str, str]:
    return {number: where for text in texts for number in numbers(text)}
