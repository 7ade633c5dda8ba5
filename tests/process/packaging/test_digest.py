"""The digest on a card names the rules: every one of them, and no test patient."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mappings.schema.base.files import KNOWLEDGE, rule_files
from mappings.schema.load import knowledge_digest

OPENED = """
import json, sys
opened = set()
sys.addaudithook(lambda event, told: opened.add(str(told[0])) if event == "open" else None)
from mappings.schema.load import load_knowledge
load_knowledge()
print(json.dumps(sorted(opened)))
"""
RULES = {(path.parent, path.suffix): path.relative_to(KNOWLEDGE) for path in rule_files(KNOWLEDGE)}
"""One file of each kind in each folder; that no file is left out is another test."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("knowledge") / "mappings"
    shutil.copytree(KNOWLEDGE, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


def test_a_test_patient_added_changed_or_taken_away_leaves_the_digest(folder: Path) -> None:
    before = knowledge_digest(folder)
    added, there = folder / "criteria" / "new.cases.yaml", folder / "criteria" / "age.adult.cases.yaml"
    added.write_text("- {}\n", encoding="utf-8")
    assert knowledge_digest(folder) == before
    there.write_text("- {}\n", encoding="utf-8")
    assert knowledge_digest(folder) == before
    there.unlink()
    assert knowledge_digest(folder) == before


def test_a_change_of_any_rule_changes_the_digest(folder: Path) -> None:
    before = knowledge_digest(folder)
    for rule in RULES.values():
        path = folder / rule
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        assert knowledge_digest(folder) != before, rule
        path.write_bytes(content)
    assert knowledge_digest(folder) == before


def test_the_digest_covers_every_file_that_loading_reads() -> None:
    ran = subprocess.run((sys.executable, "-c", OPENED), capture_output=True, text=True, check=True)
    paths = [Path(name) for name in json.loads(ran.stdout)]
    data = {path for path in paths if path.is_relative_to(KNOWLEDGE) and path.suffix not in {".py", ".pyc"}}
    assert len(data) > 100
    assert data <= set(rule_files(KNOWLEDGE))
