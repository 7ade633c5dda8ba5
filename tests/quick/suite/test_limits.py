"""How large a file, a folder and a function may grow, so that each can be read at once."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("bench", "cds_hooks", "fhir_plugin", "install", "mappings", "tests")
PRODUCT = ("cds_hooks", "fhir_plugin", "mappings")
CODE = (*PRODUCT, "bench", "install")
"""Without the tests, where each assertion would count as a path."""
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60
MOST_FILES_IN_A_FOLDER = 15
MOST_COMPLEX = 15
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(folders: tuple[str, ...]) -> Iterator[tuple[str, Function]]:
    """Every function below these folders, by file and name."""
    for path in FILES:
        if path.relative_to(ROOT).parts[0] in folders:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, Function):
                    yield f"{name_of(path)}: {node.name}", node


def complexity(function: ast.AST) -> int:
    """Independent paths, counted as radon counts them: one, and one more for each place where the path divides."""
    return 1 + sum(map(_branches, ast.walk(function)))


def _branches(node: ast.AST) -> int:
    match node:
        case ast.If() | ast.IfExp() | ast.Assert():
            return 1
        case ast.For() | ast.AsyncFor() | ast.While():
            return 1 + bool(node.orelse)
        case ast.Try():
            return len(node.handlers) + bool(node.orelse)
        case ast.BoolOp():
            return len(node.values) - 1
        case ast.comprehension():
            return 1 + len(node.ifs)
        case ast.Match():
            return len(node.cases) - any(_takes_anything(case.pattern) for case in node.cases)
        case _:
            return 0


def _takes_anything(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def test_no_file_is_too_long_to_read() -> None:
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > MOST_LINES_OF_A_FILE} == {}


def test_no_folder_holds_more_files_than_a_reader_takes_in() -> None:
    """The knowledge itself is left out: there, a file is one criterion or one instrument, and there are many."""
    count = Counter(name_of(path.parent) for path in FILES)
    assert {folder: files for folder, files in count.items() if files > MOST_FILES_IN_A_FOLDER} == {}


def test_no_function_of_the_product_is_too_long() -> None:
    long = {
        name: function.end_lineno - function.lineno + 1
        for name, function in functions(PRODUCT)
        if function.end_lineno and function.end_lineno - function.lineno >= MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}


def test_no_function_takes_too_many_paths() -> None:
    counted = {name: complexity(function) for name, function in functions(CODE)}
    assert {name: paths for name, paths in counted.items() if paths > MOST_COMPLEX} == {}


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ("return x", 1),
        ("if x:\n  return 1\nelif y:\n  return 2\nreturn 3", 3),
        ("return x and y or z", 3),
        ("return [i for i in x if i if y]", 4),
        ("try:\n  f()\nexcept A:\n  g()\nfor i in x:\n  h()", 3),
        ("match x:\n  case 1:\n    pass\n  case _:\n    pass", 2),
        ("for i in x:\n  h()\nelse:\n  g()", 3),
        ("return 1 if x else 2", 2),
    ],
)
def test_paths_are_counted_as_radon_counts_them(body: str, paths: int) -> None:
    assert complexity(ast.parse(body)) == paths
