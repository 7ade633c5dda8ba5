"""Stores replay files of real calls in a folder, if a site enables it: limited in number, oldest deleted first."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from contextlib import suppress
from datetime import date
from pathlib import Path

from starlette.background import BackgroundTask

from cds_hooks.hooks.service import HookAnswer
from cds_hooks.protocol.requests import HookCall
from cds_hooks.replay.files import write_replay
from cds_hooks.replay.recording import Recorder
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry.logs import log
from fhir_plugin.errors import BadInput, TandemError
from fhir_plugin.record.record import Record
from mappings.schema.load import Knowledge

_SECRET_BYTES = 32
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_DRAFT = ".part"
"""The ending of a file that is being written; a process that was killed leaves one."""
_NAME_LENGTH = 32


class Capture:
    """The capture folder of one process."""

    def __init__(self, settings: Settings, knowledge: Knowledge) -> None:
        """Without a secret in the settings, a random one is used for this process, so that its files cannot be linked.

        :raises BadInput: the folder cannot be created or cleared of what a process that was killed has left.
        """
        configured = settings.capture_secret
        secret = configured.get_secret_value().encode() if configured else secrets.token_bytes(_SECRET_BYTES)
        self._folder = settings.capture
        self._most = settings.capture_most
        self._recorder = Recorder(knowledge, secret) if self._folder else None
        if self._folder is None:
            return
        try:
            self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            for left in self._folder.glob("[0-9a-f]" * _NAME_LENGTH + _DRAFT):
                left.unlink(missing_ok=True)
        except OSError as fault:
            raise BadInput(f"capture: {self._folder} cannot be used: {fault.strerror}") from fault

    def task(self, call: HookCall, answer: HookAnswer, as_of: date) -> BackgroundTask | None:
        """The background task that stores the call; ``None`` if capture is off or nothing was assessed."""
        if self._recorder is None or answer.decision is None:
            return None
        return BackgroundTask(self.keep, call, answer.decision.record, as_of)

    def keep(self, call: HookCall, record: Record, as_of: date) -> None:
        """Write one call, in the background; a call that cannot be stored is skipped and logged."""
        if self._recorder is None or self._folder is None:
            return
        try:
            content = write_replay(asyncio.run(self._recorder.replay(call, record, as_of)))
            self._make_room(self._folder)
            _write(self._folder / f"{hashlib.sha256(content).hexdigest()[:_NAME_LENGTH]}.json", content)
        except (TandemError, OSError, RecursionError) as fault:
            log.warning("call not captured", fault=type(fault).__name__)

    def _make_room(self, folder: Path) -> None:
        kept = sorted(folder.glob("*.json"), key=_written_at)
        for path in kept[: max(0, len(kept) - self._most + 1)]:
            path.unlink(missing_ok=True)


def _written_at(path: Path) -> float:
    """When a file was written; 0 if another process has deleted it meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _write(path: Path, content: bytes) -> None:
    """Write the file atomically: it gets its name once it is complete."""
    draft = path.with_suffix(_DRAFT)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
