"""Checks payers' policies against the rest of the knowledge: every name that they use must exist."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.payers import Payers
from mappings.schema.payers.model import OPEN, CriterionItem, PayerPolicy, TrialsItem
from mappings.schema.rules.criteria import FACT_KINDS, Criterion
from mappings.schema.rules.facts import FactDefinition
from mappings.schema.texts.dossier import DossierWords
from mappings.schema.texts.wording import FindingWords, Wording
from mappings.schema.treatments import Treatments


def check_policy(
    policy: PayerPolicy,
    treatments: Treatments,
    criteria: Mapping[str, Criterion],
    facts: Mapping[str, FactDefinition],
    durations: Collection[str],
) -> None:
    """Raise KnowledgeError, naming file and item, if a policy refers to something that does not exist."""
    where = f"{policy.id}.yaml: items"
    if policy.treatment not in treatments.by_id:
        raise KnowledgeError(f"{policy.id}.yaml: id: no treatment {policy.treatment!r}")
    for item in policy.items:
        if isinstance(item, CriterionItem) and item.criterion not in criteria:
            raise KnowledgeError(f"{where}: {item.id}: no criterion {item.criterion!r}")
        if isinstance(item, TrialsItem) and item.duration not in {OPEN, *durations}:
            raise KnowledgeError(f"{where}: {item.id}: duration: no policy {item.duration!r}")
    for name, criterion in policy.comparisons.items():
        for fact in criterion.facts:
            if fact not in facts or facts[fact].kind not in FACT_KINDS[criterion.compare]:
                raise KnowledgeError(f"{where}: {name}: no fact {fact!r} that can be compared so")


def policy_source_keys(payers: Payers) -> Iterable[tuple[str, str]]:
    """Every source of a policy, with the file and key that names it."""
    for policy in payers.policies.values():
        yield f"{policy.id}.yaml: source", policy.source
        for place, number in policy.numbers.items():
            yield f"{policy.id}.yaml: items: {place}", number.source


def item_sentences(
    payers: Payers, wording: Wording, facts: Mapping[str, FactDefinition], dossier: DossierWords
) -> dict[str, dict[str, FindingWords]]:
    """The sentences of every item that compares a fact, by the id of its comparison, then fact."""
    sentences = {}
    for policy in payers.policies.values():
        counted = {item.id: dossier.counted[item.counted] for item in policy.items if isinstance(item, TrialsItem)}
        for item, criterion in policy.comparisons.items():
            words = wording.findings[criterion.compare]
            titles = {name: counted.get(item) or facts[name].title for name in criterion.facts if name in facts}
            sentences[criterion.id] = {name: words.titled(title) for name, title in titles.items()}
    return sentences
