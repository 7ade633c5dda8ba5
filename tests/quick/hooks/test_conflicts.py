"""Each matter on which the sources disagree stands on a card, beside what raises it; to the letter, on file.

After a wanted change: ``python -m tests.quick.hooks.test_conflicts`` writes the files anew; the diff is the review.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cds_hooks.cards.builder import CardContext
from cds_hooks.cards.criteria import criteria_card
from cds_hooks.cards.own_cards import safety_cards
from cds_hooks.protocol.responses import Card
from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.plan import ProtocolPlans
from fhir_plugin.deciding.recommend import recommend_by
from mappings.schema.load import Knowledge
from tests.support.knowledge.cases import facts_of, record_of
from tests.support.knowledge.charts import AS_OF
from tests.support.shipped import load_yaml, shipped

GOLDEN = Path(__file__).parent / "golden" / "conflicts"
_FILE = load_yaml(Path(__file__).parent / "conflicts.yaml")
STORIES: dict[str, dict[str, Any]] = _FILE["conflicts"]
_DIGEST = re.compile(r"Knowledge [0-9a-f]{12}")


def case_of(conflict: str) -> dict[str, Any]:
    """The small patient of a conflict."""
    story, usual = STORIES[conflict], _FILE["usual"]
    return usual | story | {"facts": usual["facts"] | story.get("facts", {})}


def cards_of(conflict: str, knowledge: Knowledge) -> tuple[Card, ...]:
    """The cards as the service tells them: safety first, then the criteria."""
    case = case_of(conflict)
    facts, ordered = facts_of(case, knowledge), case.get("ordered", ())
    findings = assess(facts, knowledge)
    plans = {name: knowledge.once(ProtocolPlans).of(each) for name, each in knowledge.protocols.items()}
    made = recommend_by(plans.pop(knowledge.protocol), findings, ordered)
    decision = Decision(record_of(case), facts, findings, made, tuple(plans.values()), tuple(ordered))
    hook = "order-sign" if ordered else "patient-view"
    identity = "00000000-0000-4000-8000-000000000000"
    telling = CardContext(decision, knowledge, hook, AS_OF, 0, lambda: identity, detail="full")
    return (*safety_cards(telling), criteria_card(telling))


def disputing(conflict: str, knowledge: Knowledge) -> Card | None:
    """The first card that tells the conflict."""
    topic = f"**{knowledge.conflicts[conflict].topic}**"
    return next((card for card in cards_of(conflict, knowledge) if topic in card.detail), None)


def told(conflict: str, knowledge: Knowledge) -> str:
    card = disputing(conflict, knowledge)
    assert card, f"{conflict} is shown on no card"
    parts = (f"# {STORIES[conflict]['story']}", f"## [{card.indicator}] {card.summary}", card.detail)
    return _DIGEST.sub("Knowledge (digest)", "\n\n".join(parts)) + "\n"


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return shipped()


def test_each_conflict_has_its_patient(knowledge: Knowledge) -> None:
    assert set(STORIES) == set(knowledge.conflicts)


@pytest.mark.parametrize("conflict", STORIES)
def test_a_conflict_stands_beside_what_raises_it(conflict: str, knowledge: Knowledge) -> None:
    card, shape = disputing(conflict, knowledge), knowledge.conflicts[conflict]
    assert card, f"{conflict} is shown on no card"
    raised_by = [knowledge.criteria[name].title for name in shape.criteria]
    raised_by += [
        protocol.pathways[name].says
        for protocol in knowledge.protocols.values()
        for name in shape.pathways
        if name in protocol.pathways
    ]
    before, _, _ = card.detail.partition("Where the sources disagree")
    if not before.startswith("Neither a reason to treat"):
        assert any(words in before for words in raised_by)
    for source, position in shape.positions.items():
        assert f"*{knowledge.sources[source].short}*: {position.rstrip('.')}" in card.detail
    resolved = knowledge.protocols[knowledge.protocol].resolutions.get(conflict, shape.resolution)
    assert resolved in card.detail


@pytest.mark.parametrize("conflict", STORIES)
def test_the_card_is_the_one_on_file(conflict: str, knowledge: Knowledge) -> None:
    assert told(conflict, knowledge) == (GOLDEN / f"{conflict}.md").read_text(encoding="utf-8")


def test_a_conflict_that_nothing_raises_is_told_nowhere(knowledge: Knowledge) -> None:
    quiet = [name for name in STORIES if name != "psychosis"]
    assert all("History of psychosis" not in card.detail for name in quiet for card in cards_of(name, knowledge))


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in STORIES:
        (GOLDEN / f"{name}.md").write_text(told(name, shipped()), encoding="utf-8")
