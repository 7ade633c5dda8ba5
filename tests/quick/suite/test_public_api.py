"""The names that ``fhir_plugin`` promises, and how they are called: a change here is a change for every user."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import fhir_plugin

CALLS = {
    "BundleSource": "(bundle: 'bytes', patient_id: 'str | None' = None, name: 'str' = 'bundle') -> None",
    "FhirAccess": (
        "(base_url: 'str', token: 'str | None' = None,"
        " habits: 'ServerHabits' = Ellipsis,"
        " scope: 'str' = '', good_for: 'float' = inf, refusal: 'str' = '',"
        " headers: 'tuple[tuple[str, str], ...]' = ()) -> None"
    ),
    "ServerSource": (
        "(access: 'FhirAccess', patient_id: 'str', needs: 'DataNeeds', deadline: 'float' = 10.0,"
        " servers: 'FhirServers | None' = None) -> None"
    ),
    "data_needs": "(knowledge: 'Knowledge') -> 'DataNeeds'",
    "decide": (
        "(record: 'Record', knowledge: 'Knowledge', *, as_of: 'date', protocol: 'str | None' = None,"
        " ordered: 'Collection[str]' = (), mark: 'Callable[[str], None]' = Ellipsis) -> 'Decision'"
    ),
    "load_knowledge": "(folder: 'Path' = Ellipsis, site: 'Path | None' = None) -> 'Knowledge'",
    "read_record": "(source: 'RecordSource') -> 'Record'",
    "report": "(decision: 'Decision', knowledge: 'Knowledge') -> 'DecisionReport'",
}
"""How each name is called that a user calls."""
GIVEN = {
    "Decision": ("record", "facts", "findings", "recommendation", "beside", "finding"),
    "DecisionReport": (
        "patient",
        "as_of",
        "protocol",
        "verdict",
        "criteria",
        "treatments",
        "trials",
        "scores",
        "unread",
        "dropped",
        "knowledge",
    ),
    "Finding": ("criterion", "verdict", "because", "missing", "evidence", "looked_in", "sources"),
    "Knowledge": ("criteria", "protocols", "protocol", "digest"),
    "KnowledgeError": (),
    "Record": ("patient_id", "inputs", "unread", "dropped", "input", "gaps"),
    "RecordSource": ("read",),
    "TandemError": (),
    "Verdict": ("MET", "NOT_MET", "UNKNOWN"),
}
"""What a user may read of each name that Tandem hands out."""


def called(function: object) -> str:
    """The signature; a default that is more than a plain value is shown as an ellipsis."""
    assert callable(function)
    signature = inspect.signature(function)
    plain = (str, float, tuple, type(None), type(inspect.Parameter.empty))
    parameters = [
        parameter if isinstance(parameter.default, plain) else parameter.replace(default=...)
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters))


def test_these_are_the_public_names() -> None:
    assert sorted(fhir_plugin.__all__) == sorted({*CALLS, *GIVEN})
    assert set(fhir_plugin.__all__) <= set(dir(fhir_plugin))


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_public_name_is_called_as_before(name: str) -> None:
    assert called(getattr(fhir_plugin, name)) == CALLS[name]


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_a_public_class_has_what_users_read(name: str) -> None:
    public = getattr(fhir_plugin, name)
    fields = {*dir(public), *getattr(public, "__annotations__", ())}
    assert [attribute for attribute in GIVEN[name] if attribute not in fields] == []


def test_a_type_checker_finds_each_name_where_it_is_loaded_from() -> None:
    tree = ast.parse(Path(fhir_plugin.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    checked = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert sorted(checked) == sorted(fhir_plugin.__all__)
    for name, module in checked.items():
        assert module is not None
        assert getattr(fhir_plugin, name) is getattr(import_module(module), name)


def test_a_name_that_is_not_public_is_missed_as_everywhere_in_python() -> None:
    with pytest.raises(AttributeError, match="module 'fhir_plugin' has no attribute 'gather_all'"):
        _ = fhir_plugin.gather_all  # type: ignore[attr-defined]
