"""What may happen to a SQLite file under a running service, and what is left of it after a kill."""

from __future__ import annotations

import shutil
from pathlib import Path


def delete(file: Path) -> None:
    file.unlink()


def delete_all(file: Path) -> None:
    """Its log and its index as well; the key stays."""
    for each in file.parent.glob(f"{file.name}*"):
        if each.suffix != ".key":
            each.unlink()


def delete_folder(file: Path) -> None:
    shutil.rmtree(file.parent)


def delete_log(file: Path) -> None:
    file.with_name(f"{file.name}-wal").unlink()


def delete_log_and_index(file: Path) -> None:
    delete_log(file)
    file.with_name(f"{file.name}-shm").unlink()


def empty(file: Path) -> None:
    """As a rotation of logs that copies and truncates."""
    file.write_bytes(b"")


def rotate(file: Path) -> None:
    file.rename(file.with_name("rotated"))


def as_found_after_a_kill(file: Path, folder: Path) -> Path:
    """A copy of the file and its log, as the next process would find them if this one were killed now."""
    folder.mkdir()
    for each in (file, file.with_name(f"{file.name}-wal")):
        if each.exists():
            shutil.copy(each, folder)
    return folder / file.name
