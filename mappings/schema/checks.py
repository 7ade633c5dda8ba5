"""Cross-checks between knowledge files: every name that one file uses must exist in another."""

from __future__ import annotations

from collections.abc import Iterable

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.templates import fields_of
from mappings.schema.knowledge import Knowledge
from mappings.schema.orders.checking import check_orders, order_source_keys
from mappings.schema.payers.checks import check_policy, policy_source_keys
from mappings.schema.rules.criteria import FACT_KINDS, Criterion
from mappings.schema.rules.protocols import Protocol
from mappings.schema.texts.cards import ReviewWords
from mappings.schema.texts.claims import check_claims
from mappings.schema.texts.wording import PHRASE_FIELDS


def check(knowledge: Knowledge) -> None:
    """Raise :class:`KnowledgeError`, naming file and key, for the first name that does not exist."""
    for where, key in _source_keys(knowledge):
        if key not in knowledge.sources:
            raise KnowledgeError(f"{where}: no source {key!r} in sources.yaml")
    for criterion in knowledge.criteria.values():
        _check_criterion(criterion, knowledge)
    for protocol in knowledge.protocols.values():
        _check_protocol(protocol, knowledge)
    for policy in knowledge.payers.policies.values():
        check_policy(policy, knowledge.treatments, knowledge.criteria, knowledge.facts, knowledge.medications.policies)
    _check_treatments(knowledge)
    _check_conflicts(knowledge)
    check_claims(knowledge.claims, knowledge.criteria, knowledge.protocols, knowledge.conflicts)
    _check_cards(knowledge)
    _check_services(knowledge)
    _check_session(knowledge)
    _check_memory(knowledge)
    knowledge.order_checks.check_against(knowledge.protocols, knowledge.criteria, knowledge.treatments.by_id)
    check_orders(knowledge.orders, knowledge.protocols, knowledge.criteria, knowledge.instruments, knowledge.treatments)


def _source_keys(knowledge: Knowledge) -> Iterable[tuple[str, str]]:
    """Every source key that is used, with the file and key that uses it."""
    for value_set in knowledge.value_sets.sets:
        yield f"{value_set.id}.yaml: source", value_set.source
    yield "topics.yaml: recent_days_source", knowledge.value_sets.reviewed.recent_days_source
    yield "interactions.yaml: current_days.source", knowledge.interactions.current_days.source
    yield "interactions.yaml: dispensed_days.source", knowledge.interactions.dispensed_days.source
    yield from _measured_source_keys(knowledge)
    yield from ((f"memory.yaml: {name}.source", number.source) for name, number in knowledge.memory.numbers)
    for criterion in knowledge.criteria.values():
        for key in criterion.sources:
            yield f"{criterion.id}.yaml: sources", key
        for place, number in criterion.numbers.items():
            yield f"{criterion.id}.yaml: {place}.source", number.source
    for name, claim in knowledge.claims.claims.items():
        yield from ((f"claims.yaml: {name}", key) for key in (*claim.said_by, *claim.rests_on))
    for name, conflict in knowledge.conflicts.items():
        for key in conflict.positions:
            yield f"conflicts.yaml: {name}.positions", key
    for protocol in knowledge.protocols.values():
        yield from _protocol_source_keys(protocol)
    yield from policy_source_keys(knowledge.payers)
    yield from knowledge.order_checks.source_keys()
    yield from knowledge.sessions.source_keys()
    yield from order_source_keys(knowledge.orders)


def _measured_source_keys(knowledge: Knowledge) -> Iterable[tuple[str, str]]:
    yield "laboratory.yaml: source", knowledge.laboratory.source
    for name, test in knowledge.laboratory.tests.items():
        for key, number in test.numbers.items():
            yield f"laboratory.yaml: tests.{name}.{key}.source", number.source
    for name, measured in knowledge.laboratory.measured.items():
        yield f"laboratory.yaml: measured.{name}.lowest.source", measured.lowest.source
        yield f"laboratory.yaml: measured.{name}.highest.source", measured.highest.source
    for place, number in knowledge.screens.numbers:
        yield f"screens.yaml: {place}.source", number.source
    yield "vitals.yaml: source", knowledge.vital_signs.source
    for name, sign in knowledge.vital_signs.vital_signs.items():
        for component_name, component in sign.components.items():
            yield f"vitals.yaml: {name}.{component_name}.lowest", component.lowest.source
            yield f"vitals.yaml: {name}.{component_name}.highest", component.highest.source
        if sign.agreement is not None:
            yield f"vitals.yaml: {name}.agreement.percent", sign.agreement.percent.source
            yield f"vitals.yaml: {name}.agreement.days", sign.agreement.days.source


def _protocol_source_keys(protocol: Protocol) -> Iterable[tuple[str, str]]:
    for key in protocol.sources:
        yield f"{protocol.id}.yaml: sources", key
    for clause in protocol.clauses:
        yield from ((f"{protocol.id}.yaml: clauses: {clause.criterion}", key) for key in clause.sources)
        if clause.weight:
            yield f"{protocol.id}.yaml: clauses: {clause.criterion}.weight.source", clause.weight.source
    for name, parameter in protocol.parameters.items():
        yield f"{protocol.id}.yaml: parameters.{name}.source", parameter.source
    for name, pathway in protocol.pathways.items():
        yield from ((f"{protocol.id}.yaml: pathways.{name}.sources", key) for key in pathway.sources)
    for name, factor in protocol.factors.items():
        yield from ((f"{protocol.id}.yaml: factors.{name}.sources", key) for key in factor.sources)


def _check_criterion(criterion: Criterion, knowledge: Knowledge) -> None:
    where = f"{criterion.id}.yaml"
    _check_phrases(criterion, where)
    _check_names(criterion, knowledge, where)
    for name in criterion.facts:
        fact = knowledge.facts.get(name)
        if fact is None:
            raise KnowledgeError(f"{where}: facts: no fact {name!r} in facts.yaml or among the topics")
        if fact.kind not in FACT_KINDS[criterion.compare]:
            raise KnowledgeError(f"{where}: compare: {criterion.compare} cannot read {name!r}, a {fact.kind}")
        for component in criterion.limits:
            if component not in fact.components and component not in criterion.facts:
                raise KnowledgeError(f"{where}: limits: {name!r} has no component {component!r}")


def _check_names(criterion: Criterion, knowledge: Knowledge, where: str) -> None:
    for name in criterion.covers:
        if name not in knowledge.criteria:
            raise KnowledgeError(f"{where}: covers: no criterion {name!r}")
    for name in criterion.asked.facts if criterion.asked else ():
        if name not in knowledge.facts:
            raise KnowledgeError(f"{where}: asked: no fact {name!r} in facts.yaml")


def _check_phrases(criterion: Criterion, where: str) -> None:
    if not criterion.short:
        raise KnowledgeError(f"{where}: short: needed, because a headline may name it")
    for key, template in criterion.phrases:
        for field in fields_of(template):
            if field not in PHRASE_FIELDS:
                raise KnowledgeError(f"{where}: phrases.{key}: may name only {', '.join(sorted(PHRASE_FIELDS))}")


def _check_protocol(protocol: Protocol, knowledge: Knowledge) -> None:
    where = f"{protocol.id}.yaml"
    for key, criterion in _named_criteria(protocol):
        if criterion not in knowledge.criteria:
            raise KnowledgeError(f"{where}: {key}: no criterion {criterion!r}")
    for key, treatment in _named_treatments(protocol):
        if treatment not in protocol.treatments:
            raise KnowledgeError(f"{where}: {key}: no treatment {treatment!r} in treatments")
    for name in protocol.resolutions:
        if name not in knowledge.conflicts:
            raise KnowledgeError(f"{where}: resolutions: no conflict {name!r} in conflicts.yaml")
    pairs = [(clause.criterion, treatment) for clause in protocol.clauses for treatment in clause.treatments]
    repeated = next((pair for pair in pairs if pairs.count(pair) > 1), None)
    if repeated:
        raise KnowledgeError(f"{where}: clauses: {repeated[0]} has two roles for {repeated[1]}")


def _named_criteria(protocol: Protocol) -> Iterable[tuple[str, str]]:
    yield from (("clauses", clause.criterion) for clause in protocol.clauses)
    yield from (("speaks_when", criterion) for criterion in protocol.speaks_when)
    yield from (("silent_without", criterion) for criterion in protocol.silent_without)
    for name, pathway in protocol.pathways.items():
        yield from ((f"pathways.{name}", criterion) for criterion in pathway.criteria)
    for name, factor in protocol.factors.items():
        yield from ((f"factors.{name}", criterion) for criterion in factor.criteria)


def _named_treatments(protocol: Protocol) -> Iterable[tuple[str, str]]:
    yield "focus", protocol.focus
    for name, pathway in protocol.pathways.items():
        yield from ((f"pathways.{name}", step.treatment) for step in pathway.steps)
    for clause in protocol.clauses:
        yield from ((f"clauses: {clause.criterion}", treatment) for treatment in clause.treatments)


def _check_treatments(knowledge: Knowledge) -> None:
    """Every treatment has the facts that are read from its sessions, and a mark in the drawing."""
    for treatment in knowledge.treatments.by_id.values():
        modality = treatment.modality
        judged = (f"{modality}.inadequate_response", f"{modality}.partial_response")
        for name in (f"{treatment.id}.received", f"{modality}.received", *judged):
            if f"treatments.{name}" not in knowledge.facts:
                raise KnowledgeError(f"facts.yaml: facts: add treatments.{name}, which {treatment.id}.yaml needs")
        if modality not in knowledge.instruments.drawing.sessions:
            raise KnowledgeError(f"_drawing.yaml: sessions: add {modality}, the modality of {treatment.id}.yaml")


def _check_conflicts(knowledge: Knowledge) -> None:
    treatments = {treatment for protocol in knowledge.protocols.values() for treatment in protocol.treatments}
    for name, conflict in knowledge.conflicts.items():
        for criterion in conflict.criteria:
            if criterion not in knowledge.criteria:
                raise KnowledgeError(f"conflicts.yaml: {name}.criteria: no criterion {criterion!r}")
        if not conflict.criteria and not conflict.pathways:
            raise KnowledgeError(f"conflicts.yaml: {name}: nothing raises it; name criteria or pathways")
        for pathway in conflict.pathways:
            if all(pathway not in protocol.pathways for protocol in knowledge.protocols.values()):
                raise KnowledgeError(f"conflicts.yaml: {name}.pathways: no protocol has a pathway {pathway!r}")
        for treatment in conflict.treatments:
            if treatment not in treatments:
                raise KnowledgeError(f"conflicts.yaml: {name}.treatments: no protocol treats of {treatment!r}")


def _check_cards(knowledge: Knowledge) -> None:
    for name, conflict in knowledge.conflicts.items():
        for key in conflict.positions:
            if not knowledge.sources[key].short:
                raise KnowledgeError(
                    f"sources.yaml: {key}.short: needed, because conflicts.yaml: {name} sets it against others"
                )
    for card in (*knowledge.cards.safety, knowledge.cards.another_antidepressant):
        if card.criterion not in knowledge.criteria:
            raise KnowledgeError(f"cards.yaml: criterion: no criterion {card.criterion!r}")
        for review in card.reviews:
            _check_review(review, knowledge)
    for protocol in knowledge.protocols.values():
        for treatment in protocol.treatments:
            if treatment not in knowledge.cards.treatments:
                raise KnowledgeError(f"cards.yaml: treatments: {treatment!r} of {protocol.id} has no name")


def _check_review(review: ReviewWords, knowledge: Knowledge) -> None:
    for key in review.unless:
        if key not in knowledge.wording.entries:
            raise KnowledgeError(f"cards.yaml: reviews.except: no entry {key!r} in wording.yaml")
    for fact in review.facts:
        if fact not in knowledge.facts:
            raise KnowledgeError(f"cards.yaml: reviews.facts: no fact {fact!r}")


def _check_services(knowledge: Knowledge) -> None:
    if knowledge.services.protocol not in knowledge.protocols:
        raise KnowledgeError(f"services.yaml: protocol: no protocol {knowledge.services.protocol!r}")
    for service in knowledge.services.services:
        missing = knowledge.cards.standing.keys() - knowledge.cards.indicators.get(service.hook, {}).keys()
        if missing:
            raise KnowledgeError(
                f"cards.yaml: indicators.{service.hook}: add {', '.join(sorted(missing))}; "
                f"the service {service.id} needs an indicator for each"
            )


def _check_session(knowledge: Knowledge) -> None:
    knowledge.sessions.check_against(
        knowledge.criteria,
        knowledge.facts,
        knowledge.instruments,
        knowledge.treatments.by_id,
        knowledge.wording.entries,
    )


def _check_memory(knowledge: Knowledge) -> None:
    offered = {reason.code for reason in knowledge.cards.override_reasons}
    for reason in knowledge.memory.quiet.reasons:
        if reason not in offered:
            raise KnowledgeError(f"memory.yaml: quiet.reasons: no override reason {reason!r} in cards.yaml")
