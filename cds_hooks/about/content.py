"""Description of the service: purpose, rules in words, sources, inputs, limits, versions and review dates. Pure.

All of it is derived from the loaded knowledge, including a site's own, so that it describes what is applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import date
from importlib.metadata import version

from cds_hooks.about.shapes import (
    AboutPage,
    CitedSource,
    CriterionDescription,
    CriterionRole,
    NumberDescription,
    PathwayDescription,
    ProtocolDescription,
    ReviewedPart,
    ServiceDescription,
    SessionRuleDescription,
    SourceConflict,
)
from fhir_plugin.record.inputs import INPUTS
from mappings.schema.base.entries import Number, Reviewed, Source
from mappings.schema.load import Knowledge
from mappings.schema.rules.criteria import Criterion
from mappings.schema.rules.protocols import Clause, Pathway, Protocol, ProtocolParameter
from mappings.schema.service.services import ServiceDefinition
from mappings.schema.sessions import PHRASE_FIELDS
from mappings.schema.texts.about import Attribute
from mappings.schema.texts.claims import Claim


def about(knowledge: Knowledge, as_of: date, service: ServiceDefinition | None = None) -> AboutPage:
    """The description of one service, or of all, as of a day."""
    words = knowledge.about
    applied = knowledge.protocols[knowledge.protocol]
    criteria = _criteria_of(service, applied, knowledge)
    services = tuple(_service(offered) for offered in knowledge.services.services)
    return AboutPage(
        title=service.title if service else words.title,
        service=_service(service) if service else None,
        services=services,
        purpose=words.purpose,
        user=words.user,
        patients=words.patients,
        not_for=words.not_for,
        limits=words.limits,
        not_done=words.not_done,
        review_basis=words.review_basis,
        attributes=tuple(_attribute(attribute) for attribute in words.attributes),
        rules=tuple(_rule(knowledge.criteria[name], applied, knowledge, as_of) for name in criteria),
        session_rules=tuple(_session_rules(service, knowledge)),
        protocols=tuple(_protocol(protocol, knowledge) for protocol in knowledge.protocols.values()),
        conflicts=tuple(
            SourceConflict(
                conflict.topic,
                {knowledge.sources[key].short: says for key, says in conflict.positions.items()},
                conflict.resolution,
            )
            for conflict in knowledge.resolved_conflicts[applied.id]
        ),
        claims=tuple(_claim(claim) for claim in knowledge.claims.claims.values()),
        inputs={name: INPUTS[name].resource_type for name in sorted(knowledge.inputs_for(criteria))},
        sources={key: _cited_source(key, source) for key, source in knowledge.sources.items()},
        site=knowledge.site.answers_for_it if knowledge.site else "",
        version=version("tandem-cds"),
        knowledge=knowledge.digest,
        as_of=as_of,
        dates=tuple(_dates(knowledge, as_of)),
    )


def _criteria_of(service: ServiceDefinition | None, applied: Protocol, knowledge: Knowledge) -> tuple[str, ...]:
    """The criteria of a service, in the order of the applied protocol."""
    session = [own.criterion for own in knowledge.cards.safety] + list(knowledge.sessions.criteria)
    named = [clause.criterion for clause in applied.clauses]
    if service and service.speaks == "session":
        return tuple(dict.fromkeys(session))
    return tuple(dict.fromkeys(named if service else [*named, *session]))


def _session_rules(service: ServiceDefinition | None, knowledge: Knowledge) -> Iterator[SessionRuleDescription]:
    if service and service.speaks != "session":
        return
    blank = dict.fromkeys(PHRASE_FIELDS, "...")
    for rule in knowledge.sessions.rules:
        yield SessionRuleDescription(
            id=rule.id,
            short=rule.short.format(**blank),
            treatments=tuple(knowledge.cards.treatments[name] for name in rule.treatments),
            level=rule.level,
            action=rule.action,
            why=rule.why,
            figures=tuple(_figure(key, number, "") for key, number in rule.numbers.items()),
            sources=rule.sources,
            verification=rule.verification.value,
        )


def _service(service: ServiceDefinition) -> ServiceDescription:
    return ServiceDescription(service.id, service.hook, service.title, service.description)


def _attribute(attribute: Attribute) -> dict[str, str | bool | None]:
    return {"key": attribute.key, "name": attribute.name, "says": attribute.says, "used": attribute.used}


def _rule(criterion: Criterion, applied: Protocol, knowledge: Knowledge, as_of: date) -> CriterionDescription:
    return CriterionDescription(
        id=criterion.id,
        title=criterion.title,
        statement=criterion.statement,
        in_words=" ".join(_in_words(criterion, knowledge)),
        figures=tuple(_figure(key, number, criterion.unit) for key, number in criterion.numbers.items()),
        inputs=tuple(sorted(knowledge.inputs_for([criterion.id]))),
        sources=criterion.sources,
        asks=criterion.ask.words,
        roles=tuple(_role(clause, knowledge) for clause in applied.clauses if clause.criterion == criterion.id),
        review_due=criterion.review_due,
        overdue=criterion.review_due <= as_of,
    )


def _in_words(criterion: Criterion, knowledge: Knowledge) -> Iterator[str]:
    words = knowledge.about
    for name in criterion.facts:
        single = criterion.limit_for(name)
        parts = (f"{component} {number:g}" for component, number in criterion.limits.items())
        limit = f"{single:g}" if single else " or ".join(parts)
        says = words.comparisons[criterion.compare]
        yield says.format(fact=knowledge.facts[name].title, limit=f"{limit} {criterion.unit}".strip())
    if criterion.max_age_days:
        yield words.max_age.format(days=criterion.max_age_days)


def _figure(name: str, number: Number, unit: str) -> NumberDescription:
    written = f"{number:g}" if name == "max_age_days" else f"{number:g} {unit}".strip()
    return NumberDescription(name, written, number.source, number.verification.value, number.note, number.local)


def _role(clause: Clause, knowledge: Knowledge) -> CriterionRole:
    treatments = tuple(knowledge.cards.treatments[name] for name in clause.treatments)
    return CriterionRole(clause.role.value, treatments, clause.why, clause.grade.value, clause.sources, clause.local)


def _protocol(protocol: Protocol, knowledge: Knowledge) -> ProtocolDescription:
    return ProtocolDescription(
        id=protocol.id,
        title=protocol.title,
        note=protocol.note,
        applied=protocol.id == knowledge.protocol,
        parameters=tuple(_parameter(name, parameter) for name, parameter in protocol.parameters.items()),
        pathways=tuple(_pathway(pathway, knowledge) for pathway in protocol.pathways.values()),
        sources=protocol.sources,
    )


def _parameter(name: str, parameter: ProtocolParameter) -> NumberDescription:
    span = f"{parameter.low:g}" if parameter.high is None else f"{parameter.low:g} to {parameter.high:g}"
    source, checked = parameter.source, parameter.verification.value
    return NumberDescription(name, f"{span} {parameter.unit}", source, checked, parameter.note, parameter.local)


def _pathway(pathway: Pathway, knowledge: Knowledge) -> PathwayDescription:
    def titles(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(knowledge.criteria[name].title for name in names)

    treatments = knowledge.cards.treatments
    return PathwayDescription(
        title=pathway.title,
        all_of=titles(pathway.all_of),
        any_of=titles(pathway.any_of),
        none_of=titles(pathway.none_of),
        steps=tuple(f"{treatments[step.treatment]}, {step.timing}: {step.why}" for step in pathway.steps),
        choice=pathway.choice,
        grade=pathway.grade.value,
        says=pathway.says,
        sources=pathway.sources,
    )


def _claim(claim: Claim) -> dict[str, str | tuple[str, ...]]:
    return {
        "says": claim.says,
        "said_by": claim.said_by,
        "rests_on": claim.rests_on,
        "supports": claim.supports,
        "grade": claim.grade.value,
        "used_in": claim.used_in,
        "why_unused": claim.why_unused,
    }


def _cited_source(key: str, source: Source) -> CitedSource:
    url = f"https://doi.org/{source.doi}" if source.doi else source.url or ""
    kind, grade = source.kind.value, source.grade.value
    return CitedSource(key, source.citation, kind, grade, source.read, source.supports, url)


def _dates(knowledge: Knowledge, as_of: date) -> Iterator[ReviewedPart]:
    """Every part of the knowledge with the day by which it must be reviewed, the first due first."""
    forms = {name: form.instrument for name, form in knowledge.instruments.forms.items()}
    value_sets = {value_set.id: value_set for value_set in knowledge.value_sets.sets}
    parts: dict[str, object] = {field.name: getattr(knowledge, field.name) for field in fields(knowledge)}
    parts |= {"instruments": forms, "value_sets": value_sets}
    parts |= {"treatments": knowledge.treatments.by_id, "payers": knowledge.payers.policies}
    parts |= {"orders": {**knowledge.orders.by_id, **knowledge.orders.data, "words": knowledge.orders.words}}
    named: list[tuple[str, Reviewed]] = []
    for name, part in parts.items():
        if isinstance(part, Reviewed):
            named.append((name, part))
        elif isinstance(part, Mapping):
            named += [(f"{name}/{key}", entry) for key, entry in part.items() if isinstance(entry, Reviewed)]
    for name, reviewed in sorted(named, key=lambda item: (item[1].review_due, item[0])):
        yield ReviewedPart(name, reviewed.reviewed, reviewed.review_due, reviewed.review_due <= as_of)
