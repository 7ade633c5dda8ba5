"""``tandem feedback``: report on and purge the feedback of clinicians."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cds_hooks.commands.database import Config, connected, settings_from
from cds_hooks.protocol.clock import milliseconds, today
from cds_hooks.settings.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from cds_hooks.memory.report import FeedbackReport
    from cds_hooks.memory.store import Store

_DAY_MS = 86_400_000

app = typer.Typer(help="What clinicians did with the cards.")


class ReportFormat(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"


@app.command("report")
def report(
    config: Config = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How many days to look back.")] = 90,
    output: Annotated[ReportFormat, typer.Option("--format", help="A table, or JSON.")] = ReportFormat.TEXT,
) -> None:
    """Per service and rule: fired, accepted, overridden by reason, and rules that have stopped firing."""
    from cds_hooks.memory.report import report_lines

    feedback_report = asyncio.run(_report(settings_from(config), days))
    if output is ReportFormat.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode(feedback_report)).decode())
    else:
        typer.echo("\n".join(report_lines(feedback_report)))


@app.command("purge")
def purge(
    config: Config = None,
    days: Annotated[
        int | None, typer.Option(min=0, help="Delete data older than this; by default as in the settings.")
    ] = None,
) -> None:
    """Delete old feedback and cards now; the service does so every hour."""
    deleted = asyncio.run(_purge(settings_from(config), days))
    typer.echo(f"{deleted} rows deleted.")


async def _report(settings: Settings, days: int) -> FeedbackReport:
    from cds_hooks.clients.knowledge_in_use import load_common
    from cds_hooks.memory.report import make_report

    knowledge, until = load_common(settings), today()
    silence = knowledge.memory.silence
    since = until - timedelta(days=days)
    compared_since = until - timedelta(days=silence.before_days.value + silence.recent_days.value)
    async with connected(settings) as engine:
        store = await _store(engine)
        counts = await store.firings(min(since, compared_since))
        outcomes = await store.outcome_counts(milliseconds() - days * _DAY_MS)
        latest = await store.latest()
    report = make_report(counts, outcomes, since, until, silence, knowledge.criteria)
    report.database = named(engine)
    report.written = {name: _moment(at) for name, at in latest.items()}
    return report


def named(engine: AsyncEngine) -> str:
    """The database as an operator knows it, without password and options."""
    return engine.url.set(drivername=engine.url.get_backend_name(), query={}).render_as_string(hide_password=True)


def _moment(at: int | date | None) -> str:
    """A moment in UTC, or a day; ``never`` where nothing was written."""
    if isinstance(at, int):
        return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return "never" if at is None else at.isoformat()


async def _purge(settings: Settings, days: int | None) -> int:
    moment = milliseconds()
    feedback, unanswered = (settings.feedback_days, settings.unanswered_days) if days is None else (days, days)
    async with connected(settings) as engine:
        store = await _store(engine)
        return await store.purge(moment - feedback * _DAY_MS, moment - unanswered * _DAY_MS)


async def _store(engine: AsyncEngine) -> Store:
    from cds_hooks.memory.schema import check
    from cds_hooks.memory.store import Store

    await check(engine)
    return Store(engine)
