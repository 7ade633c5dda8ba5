"""What the tests promise about themselves: their tiers, their numbers of examples, and the proof of each invariant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shipped import load_yaml

ROOT = Path(__file__).parents[3]
TESTS = ROOT / "tests"
BEFORE_A_CHANGE_LANDS = ("quick", "service", "process")
TIERS = (*BEFORE_A_CHANGE_LANDS, "nightly")
PROCESSES = {"asyncpg", "multiprocessing", "playwright", "subprocess", "uvicorn"}
SERVICES = {"starlette.testclient", "cds_hooks.application.app", "sqlite3", "tests.support.hooks.calls"}
DOCUMENTS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "docs/figures.md", "docs/testing.md")


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def reached(file: Path, seen: set[Path]) -> set[str]:
    """The modules that a file imports, also by way of the tests' own modules."""
    seen.add(file)
    found = set(imports(file))
    for module in sorted(found):
        other = ROOT / f"{module.replace('.', '/')}.py"
        if module.startswith("tests.") and other.is_file() and other not in seen:
            found |= reached(other, seen)
    return found


def test_every_test_stands_in_a_tier() -> None:
    outside = [path for path in TESTS.rglob("test_*.py") if path.relative_to(TESTS).parts[0] not in TIERS]
    assert outside == []


@pytest.mark.parametrize("file", sorted((TESTS / "quick").rglob("*.py")), ids=lambda file: file.stem)
def test_what_is_quick_starts_no_process_and_no_service(file: Path) -> None:
    found = reached(file, set())
    roots = {module.partition(".")[0] for module in found}
    assert roots & PROCESSES == set()
    assert found & SERVICES == set()


@pytest.mark.parametrize("file", sorted((TESTS / "service").rglob("*.py")), ids=lambda file: file.stem)
def test_what_asks_the_service_starts_no_process(file: Path) -> None:
    assert {module.partition(".")[0] for module in reached(file, set())} & PROCESSES == set()


def test_every_number_of_examples_comes_from_the_profile() -> None:
    """A fixed number could not be lowered by ``make quick``, nor raised by ``make nightly``."""
    fixed = re.compile(r"max_examples\s*=")
    excepted = {TESTS / "support" / "profiles.py", Path(__file__)}
    found = [path for path in TESTS.rglob("*.py") if path not in excepted and fixed.search(path.read_text())]
    assert found == []


def named_tests(text: str) -> list[str]:
    """The paths below ``tests/`` that a text names."""
    return sorted(set(re.findall(r"`(tests/[\w/.]+)`", text)))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_a_document_names_is_there(document: str) -> None:
    named = named_tests((ROOT / document).read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_proof_of_an_invariant_runs_before_a_change_lands() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = named_tests(text.partition("\n## Invariants\n")[2].partition("\n## ")[0])
    assert len(named) > 10
    assert [path for path in named if path.split("/")[1] not in BEFORE_A_CHANGE_LANDS] == []


def test_pre_commit_checks_what_make_check_checks() -> None:
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe
    checks = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    (local,) = load_yaml(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [hook["entry"] for hook in local["hooks"]] == checks
