"""The ``tandem`` command: its subcommands, and the mapping of errors to exit codes."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from cds_hooks.commands import (
    assess,
    check_config,
    check_server,
    course,
    database,
    demo,
    dossier,
    explain,
    feedback,
    knowledge,
    replay,
    score,
    serve,
    trials,
)
from fhir_plugin.errors import BadInput, RecordUnavailable, TandemError, WrongQuestionnaire
from mappings.schema.base.entries import KnowledgeError

BAD_USE, UNREADABLE = 2, 3
EXIT: dict[type[Exception], int] = {
    BadInput: BAD_USE,
    KnowledgeError: BAD_USE,
    RecordUnavailable: UNREADABLE,
    WrongQuestionnaire: UNREADABLE,
}
"""0: success; 2: incorrect use of the command; 3: the record could not be read."""

app = typer.Typer(
    name="tandem",
    help="CDS Hooks service and FHIR plugin for combining ketamine and TMS in depression.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("assess")(assess.assess)
app.command("check-config")(check_config.check_config)
app.command("check-server")(check_server.check)
app.command("course")(course.course)
app.add_typer(database.app, name="database")
app.command("demo")(demo.demo)
app.command("dossier")(dossier.dossier)
app.add_typer(feedback.app, name="feedback")
app.add_typer(knowledge.app, name="knowledge")
app.command("explain")(explain.explain)
app.command("replay")(replay.replay)
app.command("score")(score.score_file)
app.command("serve")(serve.serve)
app.command("trials")(trials.trials)


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
