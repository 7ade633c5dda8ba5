"""The reference is complete: every setting, command and piece of knowledge has an entry with a description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import cache
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from cds_hooks.cli.main import Commands, app
from cds_hooks.clients.knowledge_in_use import KnowledgeInUse
from cds_hooks.clients.shares import Excess
from cds_hooks.clients.tokens import RefusalReason
from cds_hooks.memory.database import Cause
from cds_hooks.operation.endpoints import _CLOSED
from cds_hooks.operation.metrics import CurrentState, Metrics, exposition_of_all
from cds_hooks.protocol.errors import ERROR_REASONS, BodyFault, UnusableState
from cds_hooks.settings.reading import OTHER_VARIABLES
from cds_hooks.telemetry.logs import FIELDS
from cds_hooks.telemetry.spans import ATTRIBUTES
from docs.generator import settings
from docs.generator.commands import commands, parameters
from docs.generator.markdown import prose
from docs.generator.models import descriptions
from docs.generator.operation import field_words, metric_entries, reason_words
from docs.generator.site import ROOT, reference_pages
from docs.generator.spans import attribute_words
from fhir_plugin.errors import UnavailableReason
from mappings.schema.base.entries import Verification
from mappings.schema.rules.criteria import Comparator
from mappings.schema.rules.protocols import Role
from mappings.schema.service.servers import ServerHabits
from tests.support.shipped import shipped

SETTINGS = [(model, table, name) for model, table, _, _ in settings.SECTIONS for name in model.model_fields]
COMMANDS = dict(commands())
_VARIABLE = re.compile(r'environ(?:\.get\(|\[)"([A-Z_]+)"|envvar="([A-Z_]+)"')


@cache
def texts() -> Mapping[str, str]:
    """Every page of the reference by its path."""
    return {page.path: page.text for page in reference_pages(shipped())}


def section(path: str, anchor: str) -> str:
    """What stands below the heading with an anchor, up to the next one with an anchor."""
    _, found, rest = texts()[path].partition(f"{{#{anchor}}}\n")
    assert found, f"{path} has no entry {anchor}"
    return rest.partition("{#")[0]


@pytest.mark.parametrize(("model", "table", "name"), SETTINGS, ids=lambda part: getattr(part, "__name__", part))
def test_every_setting_has_an_entry_that_says_what_it_is(model: type[BaseModel], table: str, name: str) -> None:
    described = descriptions(model).get(name, "")
    assert described, f"{model.__name__}.{name} has no docstring below it"
    entry = section(settings.PATH, f"{table}.{name}" if table else name)
    assert " ".join(described.split()).replace("``", "`") in entry
    assert table or f"`TANDEM_{name.upper()}`" in entry


def test_the_example_file_shows_every_setting_and_nothing_else() -> None:
    assert settings.example_keys(ROOT) == set(settings.setting_keys())


def test_every_variable_that_is_read_and_is_no_setting_is_named() -> None:
    read = {f"TANDEM_{name}" for name in OTHER_VARIABLES}
    for path in (file for room in ("cds_hooks", "fhir_plugin", "mappings") for file in (ROOT / room).rglob("*.py")):
        for groups in _VARIABLE.findall(path.read_text(encoding="utf-8")):
            read.update(filter(None, groups))
    assert {"TANDEM_CONFIG", "TANDEM_TOKEN", "STATE_DIRECTORY", "XDG_STATE_HOME"} <= read
    in_container = (ROOT / "install" / "entrypoint").read_text().partition("for name in ")[2].partition(";")[0].split()
    named = texts()[settings.PATH].partition("## Variables without a setting")[2]
    assert [
        name for name in (*sorted(read), *(f"{name}_FILE" for name in in_container)) if f"`{name}`" not in named
    ] == []
    assert {f"TANDEM_{name}" for name in OTHER_VARIABLES if name.endswith("_FILE")} == {
        f"{name}_FILE" for name in in_container if name.startswith("TANDEM_")
    }, "or a start in the container would call them misspelt"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_entry_with_every_option(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    entry = section("reference/commands.md", name.replace(" ", "-"))
    for parameter in parameters(command):
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help"
        shown = parameter.name.upper() if parameter.param_type_name == "argument" else parameter.opts[0]
        assert f"`{shown}`" in entry


def test_no_command_is_left_out() -> None:
    assert {name.partition(" ")[0] for name in COMMANDS} == {command.name for command in Commands.table}
    feedback = CliRunner().invoke(app, ["feedback", "--help"]).output
    assert all(name.partition(" ")[2] in feedback for name in COMMANDS if name.startswith("feedback "))


@pytest.mark.parametrize(
    ("folder", "entries", "described_by"),
    [
        ("criteria", shipped().criteria, ("title", "statement")),
        ("instruments", {item.id: item for item in shipped().instruments}, ("short", "title")),
        ("protocols", shipped().protocols, ("title", "note")),
        ("payers", shipped().payers.policies, ("title",)),
    ],
    ids=["criteria", "instruments", "protocols", "payers"],
)
def test_every_piece_of_knowledge_has_a_page_and_a_line_in_its_index(
    folder: str, entries: Mapping[str, Any], described_by: tuple[str, ...]
) -> None:
    index = texts()[f"reference/{folder}/index.md"]
    for name, entry in entries.items():
        text = texts()[f"reference/{folder}/{name}.md"]
        words = [getattr(entry, field) for field in described_by]
        assert all(words), f"{name} has no {' or '.join(described_by)}"
        assert all(prose(word) in text for word in words)
        assert f"({name}.md)" in index


def test_every_number_of_a_criterion_stands_with_its_source_and_how_it_was_checked() -> None:
    for criterion in shipped().criteria.values():
        text = texts()[f"reference/criteria/{criterion.id}.md"]
        for key, number in criterion.numbers.items():
            (row,) = [line for line in text.splitlines() if line.startswith(f"| `{key}` |")]
            assert f"| {number} |" in row
            assert f"(../sources.md#{number.source})" in row
            assert f"| {number.verification.value} |" in row


def test_every_role_of_a_criterion_stands_on_its_page_and_on_that_of_the_protocol() -> None:
    for protocol in shipped().protocols.values():
        for clause in protocol.clauses:
            text = texts()[f"reference/criteria/{clause.criterion}.md"]
            assert f"(../protocols/{protocol.id}.md) | `{clause.role.value}` |" in text
            assert f"(../criteria/{clause.criterion}.md)" in texts()[f"reference/protocols/{protocol.id}.md"]


def test_every_pathway_parameter_source_treatment_and_conflict_has_an_entry() -> None:
    knowledge = shipped()
    for protocol in knowledge.protocols.values():
        path = f"reference/protocols/{protocol.id}.md"
        assert all(prose(item.says) in section(path, name) for name, item in protocol.pathways.items())
        assert all(f"| `{name}` |" in texts()[path] for name in protocol.parameters)
    for name, source in knowledge.sources.items():
        assert prose(source.supports) in section("reference/sources.md", name)
    assert all(section("reference/treatments.md", name) for name in knowledge.treatments.by_id)
    assert all(section("reference/conflicts.md", name) for name in knowledge.conflicts)


def test_every_kind_of_server_has_a_page_with_its_remarks() -> None:
    for name, profile in shipped().servers.items():
        assert profile.remarks
        assert all(prose(remark.says) in texts()[f"connect/{name}.md"] for remark in profile.remarks)
    assert descriptions(ServerHabits).keys() == ServerHabits.model_fields.keys()


@pytest.mark.parametrize("words", [Comparator, Role, Verification], ids=lambda words: words.__name__)
def test_every_word_of_a_closed_set_says_what_it_means(words: type[Enum]) -> None:
    assert descriptions(words).keys() == {member.name for member in words}


def test_every_metric_that_is_shown_has_an_entry() -> None:
    nothing = SimpleNamespace(total={})
    memory = SimpleNamespace(offered=True, tally=nothing, silent=(), state="open", pending=0, quiet=0, given_up=0)
    servers = type("Servers", (), {"resting": 0, "__len__": lambda _: 0})()
    load = SimpleNamespace(in_flight=0, unserved={}, turns=SimpleNamespace(waiting=0))
    canaries = SimpleNamespace(silent=())
    admission = SimpleNamespace(replays=SimpleNamespace(state="open"), shares={}, refused={})
    shadows = SimpleNamespace(calls={}, differences={})
    used = KnowledgeInUse(shipped())
    state = CurrentState(used, memory, servers, canaries, load, admission, shadows, ())  # type: ignore[arg-type]
    shown = exposition_of_all([Metrics(state).families()]).decode()
    helps = dict(line.split(" ", 3)[2:] for line in shown.splitlines() if line.startswith("# HELP "))
    created = {name: words for name, words in helps.items() if not name.startswith("process_")}
    created = {name: words for name, words in created.items() if not name.endswith("_created")}
    assert {entry.name: entry.help for entry in metric_entries()} == created
    assert all(entry.help for entry in metric_entries())
    assert next(entry.labels for entry in metric_entries() if entry.name == "tandem_cards_total") == (
        "service",
        "mode",
        "rule",
        "said",
    )


def source() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "cds_hooks").rglob("*.py")))


def test_every_reason_in_the_log_is_explained_and_no_other() -> None:
    text = source()
    states = {"starting", "away", "closed", "off", "busy", *get_args(UnusableState)}
    known = {reason.value for reason in RefusalReason} | set(ERROR_REASONS.values())
    known |= {f"body.{fault}" for fault in get_args(BodyFault)}
    known |= {f"record.{reason}" for reason in get_args(UnavailableReason)}
    known |= {f"database.{state.replace(' ', '-')}" for state in states | set(get_args(Cause))}
    known |= {f"load.{name}" for name in re.findall(r'(?:Overloaded|\.note)\("([a-z_]+)"\)', text)}
    known |= {f"replays.{name}" for name in re.findall(r'ReplayStoreUnavailable\("([a-z]+)"\)', text)}
    known |= {f"replays.{state}" for state in _CLOSED} | {"canaries.silent"}
    known |= {f"client.{excess}" for excess in get_args(Excess)}
    known |= {f"launch.{name}" for name in re.findall(r'LaunchRefused\(\s*"([a-z]+)"', text)}
    known |= set(re.findall(r'add_log_fields\(reason="([a-z.-]+)"', text))
    words = reason_words(ROOT)
    assert words.keys() == known
    assert all(words.values())


def test_every_field_of_the_log_is_explained_and_no_other() -> None:
    words = field_words(ROOT)
    assert words.keys() == FIELDS.keys()
    assert all(words.values())


def test_every_attribute_of_a_span_is_explained_and_no_other() -> None:
    words = attribute_words(ROOT)
    assert words.keys() == ATTRIBUTES.keys()
    assert all(says and comes_from for says, comes_from in words.values())
    assert all(f"| `{name}` |" in texts()["reference/spans.md"] for name in ATTRIBUTES)
