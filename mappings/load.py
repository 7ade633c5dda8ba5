"""Everything we know, read and cross-checked once, at start."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

from mappings.about import AboutWords, load_about
from mappings.cards import CardWords, ReviewWords, load_card_words
from mappings.claims import Claims, check_claims, load_claims
from mappings.criteria import KINDS, Criterion, load_criteria
from mappings.dossier import DossierWords, load_dossier_words
from mappings.facts import FactDefinition, load_fact_definitions
from mappings.files import KNOWLEDGE, read_yaml
from mappings.instruments import Instruments, load_instruments
from mappings.interactions import Interactions, load_interactions
from mappings.laboratory import Laboratory, load_laboratory
from mappings.medications import Medications, load_medications
from mappings.memory import MemoryRules, load_memory_rules
from mappings.model import KnowledgeError, Source, Sources
from mappings.order_checks import OrderChecks, load_order_checks
from mappings.orders import Orders, load_orders
from mappings.orders.checking import check_orders, order_source_keys
from mappings.payers import INPUT as COVERAGES
from mappings.payers import Payers, load_payers
from mappings.payers.checks import check_policy, item_sentences, source_keys
from mappings.protocols import Conflict, Conflicts, Protocol, load_protocols
from mappings.servers import ServerProfile, load_server_profiles
from mappings.services import ServiceDefinition, ServicesFile, load_services
from mappings.sites import Site, load_site, with_local_numbers, with_local_rules
from mappings.treatments import Treatments, load_treatments
from mappings.value_sets import ValueSets, load_value_sets
from mappings.vitals import VitalSigns, load_vital_signs
from mappings.wording import FindingWords, Wording, load_wording


@dataclass(frozen=True)
class Knowledge:
    """All knowledge, frozen; the same files give the same ``digest``."""

    sources: Mapping[str, Source]
    value_sets: ValueSets
    vital_signs: VitalSigns
    instruments: Instruments
    treatments: Treatments
    medications: Medications
    interactions: Interactions
    laboratory: Laboratory
    facts: Mapping[str, FactDefinition]
    criteria: Mapping[str, Criterion]
    protocols: Mapping[str, Protocol]
    conflicts: Mapping[str, Conflict]
    claims: Claims
    resolved_conflicts: Mapping[str, tuple[Conflict, ...]]
    """By protocol: every conflict with what that protocol does about it."""
    payers: Payers
    dossier: DossierWords
    wording: Wording
    sentences: Mapping[str, Mapping[str, FindingWords]]
    """By criterion and fact: the sentences of its findings, the title filled in."""
    cards: CardWords
    orders: Orders
    services: ServicesFile
    servers: Mapping[str, ServerProfile]
    """Kinds of FHIR server, by the name of their profile."""
    order_checks: OrderChecks
    about: AboutWords
    memory: MemoryRules
    digest: str
    """SHA-256 over the names and bytes of all knowledge files, and of the site's."""
    site: Site | None = None
    """What a site decided otherwise."""

    @property
    def protocol(self) -> str:
        """The protocol that is applied: the site's choice, else ours."""
        return (self.site.protocol if self.site else None) or self.services.protocol

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Every input that is asked for, by name: for criteria, who the payer is, what orders are checked against."""
        return tuple(sorted({*self.deciding_inputs, *self._payer_inputs, *self.order_checks.inputs}))

    def inputs_of(self, service: ServiceDefinition) -> tuple[str, ...]:
        """What is asked for when a service is called: nobody asks who pays when a session starts."""
        if service.speaks == "order":
            return self.inputs
        payer = self._payer_inputs if service.speaks == "patient" else ()
        return tuple(sorted({*self.deciding_inputs, *payer}))

    @cached_property
    def deciding_inputs(self) -> tuple[str, ...]:
        """Every input that some criterion needs, in the order of their names."""
        return tuple(sorted(self.inputs_for(self.criteria)))

    @cached_property
    def _payer_inputs(self) -> frozenset[str]:
        compared = (each.facts for policy in self.payers.policies.values() for each in policy.comparisons.values())
        return frozenset(
            {COVERAGES, *(place for names in compared for name in names for place in self.facts[name].inputs)}
        )

    @cached_property
    def criteria_due(self) -> date:
        """The day from which the review of some criterion is overdue."""
        return min(criterion.review_due for criterion in self.criteria.values())

    def inputs_for(self, criteria: Iterable[str]) -> frozenset[str]:
        """The inputs that the facts of these criteria read: what a prefetch has to bring."""
        names = (name for criterion in criteria for name in self.criteria[criterion].facts)
        return frozenset(place for name in names for place in self.facts[name].inputs)


def load_knowledge(folder: Path = KNOWLEDGE, site: Path | None = None) -> Knowledge:
    """Read and cross-check a knowledge folder, with a site's own file where it has one.

    :raises KnowledgeError: names the file and the key at fault.
    """
    knowledge = _read(folder)
    if site is not None:
        knowledge = _with_site(knowledge, site)
    _check(knowledge)
    return knowledge


def _with_site(knowledge: Knowledge, path: Path) -> Knowledge:
    site = load_site(path)
    if taken := site.sources.keys() & knowledge.sources.keys():
        raise KnowledgeError(f"{path.name}: sources: {', '.join(sorted(taken))}: the key is one of ours")
    return replace(
        knowledge,
        site=site,
        sources={**knowledge.sources, **site.sources},
        criteria=with_local_numbers(dict(knowledge.criteria), site, path.name),
        protocols=with_local_rules(dict(knowledge.protocols), site, path.name),
        digest=hashlib.sha256(knowledge.digest.encode() + path.read_bytes()).hexdigest(),
    )


def _read(folder: Path) -> Knowledge:
    value_sets = load_value_sets(folder / "value_sets")
    instruments = load_instruments(folder / "instruments")
    medications = load_medications(folder / "medications")
    interactions = load_interactions(folder / "interactions.yaml", medications)
    laboratory = load_laboratory(folder / "laboratory.yaml")
    facts = load_fact_definitions(folder / "facts.yaml", value_sets, instruments, interactions, laboratory)
    criteria = load_criteria(folder / "criteria")
    protocols = load_protocols(folder / "protocols")
    conflicts = read_yaml(folder / "conflicts.yaml", Conflicts).conflicts
    wording = load_wording(folder / "wording.yaml")
    payers, dossier = load_payers(folder / "payers"), load_dossier_words(folder)
    return Knowledge(
        sources=read_yaml(folder / "sources.yaml", Sources).sources,
        value_sets=value_sets,
        vital_signs=load_vital_signs(folder / "vitals.yaml"),
        instruments=instruments,
        treatments=load_treatments(folder / "treatments"),
        medications=medications,
        interactions=interactions,
        laboratory=laboratory,
        facts=facts,
        criteria=criteria,
        protocols=protocols,
        conflicts=conflicts,
        claims=load_claims(folder / "claims.yaml"),
        resolved_conflicts={name: tuple(_resolved(each, conflicts)) for name, each in protocols.items()},
        payers=payers,
        dossier=dossier,
        wording=wording,
        sentences={
            **{name: _sentences(criterion, wording, facts) for name, criterion in criteria.items()},
            **item_sentences(payers, wording, facts, dossier),
        },
        cards=load_card_words(folder),
        orders=load_orders(folder / "orders"),
        services=load_services(folder),
        servers=load_server_profiles(folder / "servers"),
        order_checks=load_order_checks(folder / "order_checks"),
        about=load_about(folder / "about.yaml"),
        memory=load_memory_rules(folder / "memory.yaml"),
        digest=_digest(folder),
    )


def _resolved(protocol: Protocol, conflicts: Mapping[str, Conflict]) -> Iterable[Conflict]:
    for name, conflict in conflicts.items():
        resolution = protocol.resolutions.get(name, conflict.resolution)
        yield conflict.model_copy(update={"resolution": resolution})


def _sentences(criterion: Criterion, wording: Wording, facts: Mapping[str, FactDefinition]) -> dict[str, FindingWords]:
    words = wording.findings[criterion.compare]
    return {name: words.titled(facts[name].title) for name in criterion.facts if name in facts}


def _check(knowledge: Knowledge) -> None:
    for where, key in _source_keys(knowledge):
        if key not in knowledge.sources:
            raise KnowledgeError(f"{where}: no source {key!r} in sources.yaml")
    for criterion in knowledge.criteria.values():
        _check_criterion(criterion, knowledge)
    for protocol in knowledge.protocols.values():
        _check_protocol(protocol, knowledge)
    for policy in knowledge.payers.policies.values():
        check_policy(policy, knowledge.treatments, knowledge.criteria, knowledge.facts, knowledge.medications.policies)
    _check_conflicts(knowledge)
    check_claims(knowledge.claims, knowledge.criteria, knowledge.protocols, knowledge.conflicts)
    _check_cards(knowledge)
    _check_services(knowledge)
    _check_session(knowledge)
    _check_memory(knowledge)
    knowledge.order_checks.check_against(knowledge.protocols, knowledge.criteria, knowledge.treatments.by_id)
    check_orders(knowledge.orders, knowledge.protocols, knowledge.criteria, knowledge.instruments, knowledge.treatments)


def _digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".yaml", ".csv", ".txt"})
    total = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        total.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


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
    yield from source_keys(knowledge.payers)
    yield from knowledge.order_checks.source_keys()
    yield from order_source_keys(knowledge.orders)


def _measured_source_keys(knowledge: Knowledge) -> Iterable[tuple[str, str]]:
    yield "laboratory.yaml: source", knowledge.laboratory.source
    for name, test in knowledge.laboratory.tests.items():
        yield f"laboratory.yaml: tests.{name}.recent_days.source", test.recent_days.source
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
    for name, parameter in protocol.parameters.items():
        yield f"{protocol.id}.yaml: parameters.{name}.source", parameter.source
    for name, pathway in protocol.pathways.items():
        yield from ((f"{protocol.id}.yaml: pathways.{name}.sources", key) for key in pathway.sources)
    for name, factor in protocol.factors.items():
        yield from ((f"{protocol.id}.yaml: factors.{name}.sources", key) for key in factor.sources)


def _check_criterion(criterion: Criterion, knowledge: Knowledge) -> None:
    where = f"{criterion.id}.yaml"
    for name in criterion.facts:
        fact = knowledge.facts.get(name)
        if fact is None:
            raise KnowledgeError(f"{where}: facts: no fact {name!r} in facts.yaml or among the topics")
        if fact.kind not in KINDS[criterion.compare]:
            raise KnowledgeError(f"{where}: compare: {criterion.compare} cannot read {name!r}, a {fact.kind}")
        for component in criterion.limits:
            if component not in fact.components and component not in criterion.facts:
                raise KnowledgeError(f"{where}: limits: {name!r} has no component {component!r}")


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
    twice = next((pair for pair in pairs if pairs.count(pair) > 1), None)
    if twice:
        raise KnowledgeError(f"{where}: clauses: {twice[0]} has two roles for {twice[1]}")


def _named_criteria(protocol: Protocol) -> Iterable[tuple[str, str]]:
    yield from (("clauses", clause.criterion) for clause in protocol.clauses)
    yield from (("speaks_when", criterion) for criterion in protocol.speaks_when)
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
    for own in (*knowledge.cards.safety, knowledge.cards.another_antidepressant):
        if own.criterion not in knowledge.criteria:
            raise KnowledgeError(f"cards.yaml: criterion: no criterion {own.criterion!r}")
        if own.review:
            _check_review(own.review, knowledge.criteria[own.criterion], knowledge)
    for protocol in knowledge.protocols.values():
        for treatment in protocol.treatments:
            if treatment not in knowledge.cards.treatments:
                raise KnowledgeError(f"cards.yaml: treatments: {treatment!r} of {protocol.id} has no name")


def _check_review(review: ReviewWords, criterion: Criterion, knowledge: Knowledge) -> None:
    for key in review.unless:
        if key not in knowledge.wording.entries:
            raise KnowledgeError(f"cards.yaml: review.except: no entry {key!r} in wording.yaml")
    for fact in review.facts:
        if fact not in criterion.facts:
            raise KnowledgeError(f"cards.yaml: review.facts: {fact!r} is not of {criterion.id}")


def _check_services(knowledge: Knowledge) -> None:
    if knowledge.services.protocol not in knowledge.protocols:
        raise KnowledgeError(f"services.yaml: protocol: no protocol {knowledge.services.protocol!r}")


def _check_session(knowledge: Knowledge) -> None:
    for criterion in knowledge.cards.session.all_criteria:
        if criterion not in knowledge.criteria:
            raise KnowledgeError(f"cards.yaml: session: no criterion {criterion!r}")
    if knowledge.cards.session.instrument not in knowledge.instruments.forms:
        raise KnowledgeError("cards.yaml: session.instrument: no such instrument")


def _check_memory(knowledge: Knowledge) -> None:
    offered = {reason.code for reason in knowledge.cards.override_reasons}
    for reason in knowledge.memory.quiet.reasons:
        if reason not in offered:
            raise KnowledgeError(f"memory.yaml: quiet.reasons: no override reason {reason!r} in cards.yaml")
