"""``tandem trials`` as a process sees it: a Bundle in, one JSON object or lines out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cds_hooks.cli.main import app
from fhir_plugin.errors import BadInput
from mappings.schema.medications import FOLDER
from tests.support.medications.records import resources
from tests.support.shipped import load_yaml

EXAMPLES = load_yaml(FOLDER / "examples.cases.yaml")
COUNTERS = ("adequate", "failed", "intolerance", "indeterminate", "augmentation")


def bundle_of(case: dict[str, Any], path: Path) -> Path:
    entries = [{"fullUrl": f"urn:x:{at}", "resource": resource} for at, resource in enumerate(resources(case))]
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["trials", *arguments])


@pytest.mark.parametrize("case", EXAMPLES, ids=[case["id"] for case in EXAMPLES])
def test_worked_example_through_the_command(case: dict[str, Any], tmp_path: Path) -> None:
    bundle = bundle_of(case, tmp_path / "bundle.json")
    result = run("--bundle", str(bundle), "--as-of", "2026-01-01", "--episode-start", "2025-01-01", "--format", "json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.output)
    for name in COUNTERS:
        assert document[name] == case["expect"].get(name, document[name])
    for trial in document["trials"]:
        assert {"ingredient", "class", "start", "stop", "adequate_days", "adequate", "flags"} <= set(trial)
    assert document["parameters"]["policy"] == "MGH-ATRQ"
    assert document["staging"]["maudsley"]["total"] is None


def test_policy_changes_what_is_long_enough(tmp_path: Path) -> None:
    case = next(case for case in EXAMPLES if case["id"] == "E09")
    bundle = bundle_of(case, tmp_path / "bundle.json")
    place = ("--bundle", str(bundle), "--as-of", "2026-01-01", "--episode-start", "2025-01-01", "--format", "json")
    assert json.loads(run(*place).output)["adequate"] == 0
    assert json.loads(run(*place, "--policy", "ATHF").output)["adequate"] == 1


def test_a_line_for_each_trial(tmp_path: Path) -> None:
    case = next(case for case in EXAMPLES if case["id"] == "E13")
    bundle = bundle_of(case, tmp_path / "bundle.json")
    result = run("--bundle", str(bundle), "--as-of", "2026-01-01", "--episode-start", "2025-01-01")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert [line.split(" ")[0] for line in lines[1:3]] == ["citalopram", "escitalopram"]
    assert "presumed failed: escitalopram was started on 2025-04-03" in lines[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--policy", "guess"), "--policy"),
        (("--episode-start", "spring"), "--episode-start"),
        (("--as-of", "2026-02-30"), "--as-of"),
    ],
)
def test_bad_use_is_one_clear_error(arguments: tuple[str, str], says: str, tmp_path: Path) -> None:
    bundle = bundle_of(EXAMPLES[0], tmp_path / "bundle.json")
    result = run("--bundle", str(bundle), *arguments)
    assert isinstance(result.exception, BadInput)
    assert says in str(result.exception)
