"""The examples of the page on the Python API run, and print what the page says; its table names what is public."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import fhir_plugin

PAGE = (Path(__file__).parents[3] / "docs" / "python-api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n\nprints\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("code", "printed"), EXAMPLES, ids=["one patient", "many patients"])
def test_an_example_prints_what_the_page_says(code: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "docs/python-api.md", "exec"), {"__name__": "example"})  # noqa: S102 - an example of ours
    assert capsys.readouterr().out == printed


def test_every_python_block_is_an_example_that_runs() -> None:
    assert PAGE.count("```python\n") == len(EXAMPLES)


def test_the_table_names_what_is_public() -> None:
    table = PAGE.partition("\n## The names\n")[2]
    cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)", cell)}
    assert named == set(fhir_plugin.__all__)
