"""One word, one meaning: the glossary against the classes of the three packages.

* No two public classes have the same name, in whatever package or file. A private class (``_Entry``) is a detail of its
  file and may share its name with another file's.
* A term of the glossary that is the name of a class, written as one word (*record source*, ``RecordSource``), is the
  name of one class only, a private one included.
* No two rows of the glossary explain the same term, the rows are in alphabetical order, and a class that a row names
  exists.

FHIR's own names (``Patient``, ``Condition``) need no exception: each is the view of that resource and nothing else.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("mappings", "fhir_plugin", "cds_hooks")
ROWS = re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", (ROOT / "GLOSSARY.md").read_text(encoding="utf-8"), re.MULTILINE)
TERMS = [term for term, _ in ROWS]


@cache
def classes() -> dict[str, list[str]]:
    """The files in which a class of that name is defined."""
    found = defaultdict(list)
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path.relative_to(ROOT).as_posix())
    return dict(found)


def class_name(term: str) -> str:
    """A term as the name of a class: ``record source`` is ``RecordSource``."""
    return "".join(word[:1].upper() + word[1:] for word in term.split())


def test_every_public_class_has_a_name_of_its_own() -> None:
    assert len(classes()) > 100
    shared = {name: files for name, files in classes().items() if len(files) > 1 and not name.startswith("_")}
    assert shared == {}


def test_a_word_of_the_glossary_names_one_class() -> None:
    named = {term: [*classes().get(class_name(term), ()), *classes().get(f"_{class_name(term)}", ())] for term in TERMS}
    assert sum(len(files) == 1 for files in named.values()) > 20
    assert {term: files for term, files in named.items() if len(files) > 1} == {}


def test_the_glossary_explains_each_term_once_and_in_order() -> None:
    assert [term for term, count in Counter(map(str.lower, TERMS)).items() if count > 1] == []
    assert sorted(TERMS, key=str.lower) == TERMS


def test_a_class_that_the_glossary_names_exists() -> None:
    text = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Za-z]+)`", text))
    assert "RecordSource" in named
    assert named - classes().keys() == set()
