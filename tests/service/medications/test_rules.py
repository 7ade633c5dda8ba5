"""Each rule of the counting has a case that fails without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fhir_plugin.facts.medications.lines import clear_caches
from tests.support.medications.checks import cases, check, check_sig, sigs
from tests.support.medications.mutants import MUTANTS, mutated
from tests.support.shipped import load_yaml, shipped

KNOWN = shipped().medications
RULES = load_yaml(Path(__file__).parent / "rules.yaml")
CASES = cases()
SIGS = {text: (strength, text, expected) for strength, text, expected in sigs()}


@pytest.mark.parametrize("rule", RULES, ids=[f"{rule['at']} {rule['rule']}" for rule in RULES])
def test_without_the_rule_its_cases_fail(rule: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    clear_caches()
    known = mutated(KNOWN, rule["without"], monkeypatch)
    for name in rule.get("cases", ()):
        with pytest.raises(AssertionError):
            check(CASES[name], known)
    for text in rule.get("sigs", ()):
        with pytest.raises(AssertionError):
            check_sig(*SIGS[text], known)
    monkeypatch.undo()
    clear_caches()


def test_every_rule_names_what_holds_it() -> None:
    assert all(rule.get("cases") or rule.get("sigs") for rule in RULES)
    assert {rule["without"]["code"] for rule in RULES if "code" in rule["without"]} == set(MUTANTS)
