"""Reads and cross-checks all knowledge once, at start."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mappings.schema.base.entries import KnowledgeError, Sources
from mappings.schema.base.files import KNOWLEDGE, read_yaml, rule_files
from mappings.schema.checks import check
from mappings.schema.codes.interactions import load_interactions
from mappings.schema.codes.laboratory import load_laboratory
from mappings.schema.codes.screens import load_screens
from mappings.schema.codes.value_sets import load_value_sets
from mappings.schema.codes.vitals import load_vital_signs
from mappings.schema.gates import check_gates
from mappings.schema.instruments import load_instruments
from mappings.schema.knowledge import Knowledge
from mappings.schema.medications import load_medications
from mappings.schema.order_checks import load_order_checks
from mappings.schema.orders import load_orders
from mappings.schema.payers import load_payers
from mappings.schema.payers.checks import item_sentences
from mappings.schema.rules.criteria import Criterion, load_criteria
from mappings.schema.rules.facts import FactDefinition, load_fact_definitions
from mappings.schema.rules.person import load_person_rules
from mappings.schema.rules.protocols import Conflict, Conflicts, Protocol, load_protocols
from mappings.schema.rules.sites import load_site, with_local_numbers, with_local_questionnaires, with_local_rules
from mappings.schema.service.memory import load_memory_rules
from mappings.schema.service.servers import load_server_profiles
from mappings.schema.service.services import load_services
from mappings.schema.sessions import load_sessions
from mappings.schema.texts.about import load_about
from mappings.schema.texts.cards import load_card_words
from mappings.schema.texts.claims import load_claims
from mappings.schema.texts.dossier import load_dossier_words
from mappings.schema.texts.wording import FindingWords, Wording, load_wording
from mappings.schema.treatments import load_treatments

__all__ = ["Knowledge", "knowledge_digest", "load_knowledge", "with_site"]


def load_knowledge(folder: Path = KNOWLEDGE, site: Path | None = None) -> Knowledge:
    """Read and cross-check a knowledge folder, with a site's own file if given.

    :raises KnowledgeError: names the file and the key at fault.
    """
    knowledge = _read(folder)
    if site is not None:
        return with_site(knowledge, site)
    check(knowledge)
    check_gates(knowledge)
    return knowledge


def with_site(knowledge: Knowledge, path: Path) -> Knowledge:
    """The knowledge with a site's own file, cross-checked as a whole.

    :raises KnowledgeError: names the file and the key at fault.
    """
    changed = _replaced(knowledge, path)
    check(changed)
    check_gates(changed, path.name)
    return changed


def _replaced(knowledge: Knowledge, path: Path) -> Knowledge:
    site = load_site(path)
    if taken := site.sources.keys() & knowledge.sources.keys():
        raise KnowledgeError(
            f"{path.name}: sources: {', '.join(sorted(taken))}: already a key in sources.yaml; rename it"
        )
    return replace(
        knowledge,
        site=site,
        sources={**knowledge.sources, **site.sources},
        instruments=with_local_questionnaires(knowledge.instruments, site, path.name),
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
    screens = load_screens(folder / "screens.yaml")
    facts = load_fact_definitions(folder / "facts.yaml", value_sets, instruments, interactions, laboratory, screens)
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
        screens=screens,
        facts=facts,
        person=load_person_rules(folder),
        criteria=criteria,
        protocols=protocols,
        conflicts=conflicts,
        claims=load_claims(folder / "claims.yaml"),
        resolved_conflicts={name: tuple(_resolved(protocol, conflicts)) for name, protocol in protocols.items()},
        payers=payers,
        dossier=dossier,
        wording=wording,
        sentences={
            **{name: _sentences(criterion, wording, facts) for name, criterion in criteria.items()},
            **item_sentences(payers, wording, facts, dossier),
        },
        cards=load_card_words(folder),
        sessions=load_sessions(folder),
        orders=load_orders(folder / "orders"),
        services=load_services(folder),
        servers=load_server_profiles(folder / "servers"),
        order_checks=load_order_checks(folder / "order_checks"),
        about=load_about(folder / "about.yaml"),
        memory=load_memory_rules(folder / "memory.yaml"),
        digest=knowledge_digest(folder),
    )


def _resolved(protocol: Protocol, conflicts: Mapping[str, Conflict]) -> Iterable[Conflict]:
    for name, conflict in conflicts.items():
        resolution = protocol.resolutions.get(name, conflict.resolution)
        yield conflict.model_copy(update={"resolution": resolution})


def _sentences(criterion: Criterion, wording: Wording, facts: Mapping[str, FactDefinition]) -> dict[str, FindingWords]:
    words = wording.findings[criterion.compare]
    return {name: words.titled(facts[name].title) for name in criterion.facts if name in facts}


def knowledge_digest(folder: Path) -> str:
    """SHA-256 of the rule files; the test patients beside them do not count."""
    total = hashlib.sha256()
    for path in rule_files(folder):
        content = path.read_bytes()
        total.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()
