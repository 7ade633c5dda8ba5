"""The reference of commands: every command with its arguments and options, as Typer knows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cds_hooks.cli.main import Commands
from docs.generator.markdown import Page, docstring, page, table
from docs.generator.models import annotation_words

PATH = "reference/commands.md"
_INTRODUCTION = """\
`tandem --help` lists the commands and `tandem COMMAND --help` the options of one; `tandem --install-completion` has the
shell complete both.

| exit status | meaning |
| --- | --- |
| 0 | Done. |
| 1 | `tandem replay` only: at least one card is different. |
| 2 | Wrong use, or a file that is wrong: settings, knowledge, a database that has to be mended. A retry fails too. |
| 3 | The record, the questionnaire or the database could not be read. A retry may succeed. |

An error is one line on stderr: what, where, and what to do."""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that can be run, with its full name; a group yields its own commands."""
    for entry in Commands.table:
        loaded = entry.load()
        inner = getattr(loaded, "commands", None)
        if inner is None:
            yield entry.name, loaded
        else:
            yield from ((f"{entry.name} {name}", command) for name, command in inner.items())


def parameters(command: Any) -> list[Any]:
    """Its arguments and options, without ``--help``."""
    return [parameter for parameter in command.params if parameter.name != "help"]


def commands_page() -> Page:
    """Every command, in the order of the help."""
    return page(PATH, "Commands", (_INTRODUCTION, *(_entry(name, command) for name, command in commands())))


def _entry(name: str, command: Any) -> str:
    anchor = name.replace(" ", "-")
    rows = [(_names(item), _value(item), docstring(getattr(item, "help", None) or "")) for item in parameters(command)]
    usage = " ".join(
        (
            "tandem",
            name,
            *(["[OPTIONS]"] if any(not _is_argument(item) for item in parameters(command)) else []),
            *(_usage(item) for item in parameters(command)),
        )
    )
    blocks = (
        f"## `tandem {name}` {{#{anchor}}}",
        docstring(command.help or ""),
        f"```\n{usage.strip()}\n```",
        table(("option", "value", "what it does"), rows),
    )
    return "\n\n".join(block for block in blocks if block)


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _metavar(parameter: Any) -> str:
    return "..." if parameter.multiple or parameter.nargs == -1 else ""


def _usage(parameter: Any) -> str:
    if _is_argument(parameter):
        return f"{parameter.name.upper()}{_metavar(parameter)}"
    return f"{parameter.opts[0]} ..." if parameter.required else ""


def _names(parameter: Any) -> str:
    if _is_argument(parameter):
        return f"`{parameter.name.upper()}`{_metavar(parameter)}"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _value(parameter: Any) -> str:
    facts = [
        "switch" if getattr(parameter, "is_flag", False) else annotation_words(parameter.type_descriptor.annotation)
    ]
    default = getattr(parameter.default, "value", parameter.default)
    if parameter.required:
        facts.append("required")
    elif isinstance(default, str | int | float) and not isinstance(default, bool):
        facts.append(f"default `{default}`")
    facts += [f"{words} {limit:g}" for words, limit in _limits(parameter)]
    if parameter.multiple:
        facts.append("may be repeated")
    if parameter.envvar:
        facts.append(f"or `{parameter.envvar}`")
    return ", ".join(facts)


def _limits(parameter: Any) -> Iterator[tuple[str, float]]:
    if parameter.min is not None:
        yield "at least", parameter.min
    if parameter.max is not None:
        yield "at most", parameter.max
