"""Commands that are named as data, and imported when they run: listing them costs no import."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


class Command(NamedTuple):
    """One line of the help, and where the command is."""

    name: str
    module: str
    attribute: str
    """A function, or a Typer with commands of its own."""
    help: str
    """The first line of its docstring, or the help of the Typer."""

    def load(self) -> Any:
        """The command that runs, imported now."""
        found = getattr(import_module(self.module), self.attribute)
        holder = typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=self.name)
        else:
            holder.command(self.name)(found)
        return get_group(holder).commands[self.name]


class LazyGroup(TyperGroup):
    """A group whose commands are listed, suggested and completed by name, and imported only to be run."""

    table: ClassVar[tuple[Command, ...]] = ()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for command in self.table:
            self.add_command(TyperCommand(command.name, help=command.help, rich_markup_mode=None))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments of the group itself."""
        for parameter in self.get_params(ctx):
            if parameter.default is None:
                # Typer's own flags (help, completion): it takes a bool as it is, and loads pydantic to read a None.
                parameter.default = False
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the arguments name, ready to run or to complete its options."""
        name, command, rest = super().resolve_command(ctx, args)
        for known in self.table:
            if known.name == name:
                return name, known.load(), rest
        return name, command, rest

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The names that a shell offers; without help lines, which Typer sends through rich at thrice the cost."""
        items = super().shell_complete(ctx, incomplete)
        for item in items:
            item.help = None
        return items
