"""The commands named as data are the commands that there are; version and completion."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cds_hooks import commands
from cds_hooks.cli.lazy import Command
from cds_hooks.cli.main import Commands, app
from tests.support.commands.processes import imported_by, tandem

NAMES = [command.name for command in Commands.table]


@pytest.mark.parametrize("command", Commands.table, ids=NAMES)
def test_the_line_of_the_help_is_the_docstring_of_the_command(command: Command) -> None:
    loaded = command.load()
    assert loaded.name == command.name
    assert inspect.cleandoc(loaded.help).split("\n\n")[0] == command.help


def test_every_module_of_commands_is_named() -> None:
    folder = Path(commands.__file__).parent
    modules = {f"cds_hooks.commands.{path.stem}" for path in folder.glob("*.py")}
    assert {command.module for command in Commands.table} == modules - {"cds_hooks.commands.__init__"}


def test_the_help_names_every_command_in_order() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output.split("Commands:")[1]
    assert [line.split()[0] for line in shown.splitlines() if line.startswith("  ")] == NAMES == sorted(NAMES)


def test_a_command_takes_its_options_and_a_group_its_commands() -> None:
    assert "--policy" in CliRunner().invoke(app, ["trials", "--help"]).output
    assert "upgrade" in CliRunner().invoke(app, ["database", "--help"]).output


def test_the_version_is_that_of_the_distribution() -> None:
    done = tandem("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"tandem {version('tandem-cds')}\n", "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("hlep",), "tandem: No such command 'hlep'. (see tandem --help)\n"),
        (("trails",), "tandem: No such command 'trails'. Did you mean 'trials'? (see tandem --help)\n"),
        ((), "tandem: Missing command. (see tandem --help)\n"),
        (("--hlep",), "tandem: No such option: --hlep"),
        (("database", "downgrade"), "tandem: No such command 'downgrade'."),
    ],
)
def test_bad_use_is_one_line_and_exit_2(words: tuple[str, ...], says: str) -> None:
    done = tandem(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(says)


def completed(shell: str, line: str) -> str:
    words = line.split(" ")
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    answer = CliRunner(env={**asked, "_TANDEM_COMPLETE": f"complete_{shell}"}).invoke(app, prog_name="tandem")
    return answer.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_options_and_commands_of_groups(shell: str) -> None:
    assert "check-config" in completed(shell, "tandem che")
    assert "check-server" in completed(shell, "tandem che")
    assert "--policy" in completed(shell, "tandem trials --pol")
    assert "upgrade" in completed(shell, "tandem database up")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completing_the_name_of_a_command_loads_none(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_WORDS", "tandem che")
    monkeypatch.setenv("COMP_CWORD", "1")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "tandem che")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TANDEM_COMPLETE", f"complete_{shell}")
    loaded = imported_by()
    assert not [name for name in loaded if name.startswith(("cds_hooks.commands", "pydantic", "rich"))]


def test_completion_is_offered_to_be_installed() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert "--install-completion" in shown
    assert "--show-completion" in shown
