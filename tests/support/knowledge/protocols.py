"""Every protocol's test patients, and what is said of them."""

from functools import cache
from typing import Any

from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.finding import Finding
from fhir_plugin.deciding.recommend import Recommendation, recommend
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import Protocol
from tests.support.knowledge.cases import facts_of, read_cases
from tests.support.shipped import shipped

NAMES = sorted(shipped().protocols)
CASES = {name: read_cases(KNOWLEDGE / "protocols" / f"{name}.cases.yaml") for name in NAMES}


@cache
def findings(name: str, number: int) -> tuple[Finding, ...]:
    knowledge = shipped()
    return assess(facts_of(CASES[name][number], knowledge), knowledge)


def answer(name: str, number: int, protocol: Protocol, knowledge: Knowledge) -> Recommendation:
    return recommend(findings(name, number), protocol, knowledge, CASES[name][number].get("ordered", ()))


def said(recommendation: Recommendation, expect: dict[str, Any]) -> dict[str, Any]:
    """What the recommendation says about each thing that is expected."""
    fitting = recommendation.pathway
    says: dict[str, Any] = {
        "pathway": fitting.id if fitting else "none",
        "steps": [f"{step.treatment} {step.timing}" for step in fitting.pathway.steps] if fitting else [],
        "ways": {
            each.id: [each.pathway.choice, *(f"{step.treatment} {step.timing}" for step in each.pathway.steps)]
            for each in recommendation.pathways
            if each.fits == "met" and each.id in expect.get("ways", ())
        },
        "choice": fitting.pathway.choice if fitting else "none",
        "verdict": recommendation.verdict,
        "speaks": recommendation.actionable,
        "undecided": [each.id for each in recommendation.undecided],
        "asks": [ask.datum for ask in recommendation.asks],
        "also": [each.id for each in recommendation.pathways if each.fits == "met" and each is not fitting],
    } | {each.treatment: each.standing for each in recommendation.treatments}
    return {key: says[key] for key in expect}
