"""The ``tandem`` command: its subcommands, and the mapping of errors to exit codes.

Imports nothing that one command alone needs: see :mod:`cds_hooks.cli.lazy`.
"""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from cds_hooks.cli.lazy import Command, LazyGroup
from cds_hooks.protocol.errors import NotStarted
from fhir_plugin.errors import BadInput, RecordUnavailable, TandemError, WrongQuestionnaire
from fhir_plugin.extras import DISTRIBUTION
from mappings.schema.errors import KnowledgeError

BAD_USE, UNREADABLE = 2, 3
EXIT: dict[type[Exception], int] = {
    BadInput: BAD_USE,
    KnowledgeError: BAD_USE,
    NotStarted: UNREADABLE,
    RecordUnavailable: UNREADABLE,
    WrongQuestionnaire: UNREADABLE,
}
"""0: success; 2: incorrect use, or a file that has to be mended; 3: the record or the database could not be read, or
the service did not start."""

_FOLDER = "cds_hooks.commands"


class Commands(LazyGroup):
    """The sub-commands, in the order of the help."""

    table = (
        Command(
            "assess",
            f"{_FOLDER}.assess",
            "assess",
            "Assess one patient: which criteria are met, not met or unknown, and why.",
        ),
        Command(
            "check-config",
            f"{_FOLDER}.check_config",
            "check_config",
            "Check settings as the start does, and print what is set, or every mistake; secrets are not shown.",
        ),
        Command(
            "check-server",
            f"{_FOLDER}.check_server",
            "check",
            "Try each query on one patient and report the result: ok, empty, refused, ignored parameter, slow.",
        ),
        Command(
            "course",
            f"{_FOLDER}.course",
            "course",
            "Show how symptoms changed over time, and which treatments were given when.",
        ),
        Command("database", f"{_FOLDER}.database", "app", "The database of cards and feedback."),
        Command(
            "demo",
            f"{_FOLDER}.demo",
            "demo",
            "Start the service and a local FHIR server with synthetic patients, and print calls to try.",
        ),
        Command(
            "dossier",
            f"{_FOLDER}.dossier",
            "dossier",
            "Assemble the documentation for a prior authorization, with what is missing first.",
        ),
        Command(
            "explain",
            f"{_FOLDER}.explain",
            "explain",
            "Show which cards a request gets, the whole reasoning behind them, and every criterion and pathway.",
        ),
        Command("feedback", f"{_FOLDER}.feedback", "app", "What clinicians did with the cards."),
        Command("knowledge", f"{_FOLDER}.knowledge", "app", "Extend the knowledge of this installation."),
        Command(
            "replay",
            f"{_FOLDER}.replay",
            "replay",
            "Repeat captured calls and print what changed, card by card; exit status 1 if anything did.",
        ),
        Command(
            "score",
            f"{_FOLDER}.score",
            "score_file",
            "Score questionnaires; a total is given only if every item that counts was answered.",
        ),
        Command("serve", f"{_FOLDER}.serve", "serve", "Start the CDS Hooks service."),
        Command(
            "trials",
            f"{_FOLDER}.trials",
            "trials",
            "Count adequate and failed trials, with the evidence for each.",
        ),
    )


app = typer.Typer(
    cls=Commands,
    name="tandem",
    help="CDS Hooks service and FHIR plugin for combining ketamine and TMS in depression.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"tandem {version(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def tandem(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What all sub-commands have in common."""


def main() -> NoReturn:
    """Run the command line; errors are one line on stderr without a traceback."""
    try:
        code = app(standalone_mode=False)
    except TyperException as fault:
        _stop(f"{fault.format_message()} (see tandem --help)", BAD_USE)
    except typer.Abort:
        _stop("stopped", BAD_USE)
    except (TandemError, KnowledgeError) as fault:
        _stop(str(fault), next((EXIT[kind] for kind in type(fault).__mro__ if kind in EXIT), BAD_USE))
    sys.exit(code if isinstance(code, int) else 0)


def _stop(message: str, code: int) -> NoReturn:
    typer.echo(f"tandem: {' '.join(message.split())}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
