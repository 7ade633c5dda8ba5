"""SQLite files: where they lie, whether those held open are still at their path, and what a lost one leaves behind."""

from __future__ import annotations

import os
from pathlib import Path

from fhir_plugin.errors import BadInput

Identity = tuple[int, int]
"""Device and inode of a file."""


def state_folder() -> Path:
    """The state directory of the service (systemd), else ``tandem`` in that of the user (XDG).

    :raises BadInput: there is none, as for a user without a home folder.
    """
    if directory := os.environ.get("STATE_DIRECTORY"):
        return Path(directory.partition(":")[0])
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    except RuntimeError:
        raise BadInput("this user has no home folder: set STATE_DIRECTORY to a folder that can be written") from None
    return Path(state) / "tandem"


def unusable_folder(folder: Path) -> str | None:
    """Why this user can make no file in a folder, which may not be there yet; ``None`` if it can. Creates nothing."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        return f"{there} is no folder"
    return None if os.access(there, os.W_OK | os.X_OK) else f"this user may not write to {there}"


def identity(path: Path) -> Identity | None:
    """Which file is at the path; ``None`` where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def log_of(database: Path) -> Path:
    """The write-ahead log of a SQLite file, which lies beside the file itself and not beside a link to it."""
    return Path(f"{os.path.realpath(database)}-wal")


def is_held(database: Path, opened: Identity | None, log: Identity | None) -> bool:
    """Whether a SQLite file and its write-ahead log are still the ones that were opened, and the file was not emptied.

    Both count: what is committed stands in the log first, and an empty file would have the next process discard it.
    """
    try:
        if database.stat().st_size == 0:
            return False
    except FileNotFoundError:
        return False
    return identity(database) == opened and identity(log_of(database)) == log


def remove_log(database: Path, log: Identity | None) -> None:
    """Delete the write-ahead log of a file that is gone, if it is still there: SQLite would apply it to the next file.

    :raises OSError: it cannot be deleted.
    """
    if log is not None and identity(log_of(database)) == log:
        log_of(database).unlink()
        Path(f"{os.path.realpath(database)}-shm").unlink(missing_ok=True)
