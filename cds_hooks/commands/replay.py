"""``tandem replay``: repeat captured calls with this version, or compare two versions of the knowledge."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cds_hooks.cli.records import read_file
from cds_hooks.replay.differences import differences
from cds_hooks.replay.files import Replay, comparable, read_replay
from cds_hooks.replay.recording import ReplayRunner
from fhir_plugin.errors import BadInput, TandemError
from mappings.schema.load import load_knowledge

DIFFERS = 1


def replay(
    files: Annotated[list[Path], typer.Argument(help="Replay files, or folders of them.")],
    knowledge: Annotated[
        Path | None, typer.Option(help="Another knowledge folder: compare its cards with those of this version.")
    ] = None,
    site: Annotated[Path | None, typer.Option(help="The site's own file with its protocol and numbers.")] = None,
) -> None:
    """Repeat captured calls and print what changed, card by card; exit status 1 if anything did."""
    current = ReplayRunner(load_knowledge(site=site))
    other = ReplayRunner(load_knowledge(knowledge, site=site)) if knowledge else None
    paths = list(_files(files))
    by_path = {path: list(asyncio.run(_compared(path, current, other))) for path in paths}
    changed = {path: lines for path, lines in by_path.items() if lines}
    for path, lines in changed.items():
        typer.echo("\n".join((f"{path}:", *(f"  {line}" for line in lines))))
    typer.echo(f"{len(paths)} calls: {len(paths) - len(changed)} the same, {len(changed)} different")
    if changed:
        raise typer.Exit(DIFFERS)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(path.glob("*.json"))
        if not inside:
            raise BadInput(f"{path}: there is no replay file in this folder")
        yield from inside


async def _compared(path: Path, current: ReplayRunner, other: ReplayRunner | None) -> list[str]:
    try:
        file = read_replay(read_file(path))
    except BadInput as fault:
        raise BadInput(f"{path}: {fault}") from fault
    now = await _cards(current, file)
    if other is None:
        return list(differences(file.cards, now))
    return list(differences(now, await _cards(other, file)))


async def _cards(runner: ReplayRunner, file: Replay) -> tuple[dict[str, Any], ...]:
    """The cards of a call; a call that cannot be answered is represented by one card with the reason."""
    try:
        return comparable(await runner.cards(file.hook, file.request, file.as_of))
    except TandemError as fault:
        return ({"indicator": "no answer", "summary": str(fault)},)
