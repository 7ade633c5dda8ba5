"""Keyed hashes: the database can recognise a patient without identifying them.

The key is the site's secret. Without it, nobody can hash a list of record numbers and look them up.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL

from cds_hooks.settings.database import is_file
from cds_hooks.settings.mistakes import WrongSetting
from cds_hooks.settings.settings import Settings
from fhir_plugin.errors import BadInput

_KEY_BYTES = 32


class KeyedHash:
    """HMAC-SHA-256 under one secret."""

    def __init__(self, secret: bytes) -> None:
        self._empty = hmac.new(secret, digestmod=hashlib.sha256)

    def of(self, *parts: str | bytes) -> str:
        """The hash of the parts, as 64 hexadecimal digits; each part is preceded by its length."""
        mac = self._empty.copy()
        for part in parts:
            content = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
            mac.update(len(content).to_bytes(8, "big"))
            mac.update(content)
        return mac.hexdigest()


def site_key(settings: Settings, url: URL) -> bytes:
    """The site's secret: from the settings, else from a file beside the SQLite database, created at first use.

    :raises BadInput: a database server without ``database_key``: several processes must share it.
    :raises OSError: the file can be neither read nor created.
    """
    if settings.database_key is not None:
        return settings.database_key.get_secret_value().encode()
    file = _key_file(url)
    if not file.exists():
        _make(file)
    return _read(file)


def key_before(settings: Settings, url: URL) -> bytes | None:
    """The secret that the site's present one has replaced: from the settings, else from the file with ``.before``.

    :raises BadInput: the file is damaged.
    :raises OSError: the file cannot be read.
    """
    if settings.database_key_before is not None:
        return settings.database_key_before.get_secret_value().encode()
    if not is_file(url) or not url.database:
        return None
    file = Path(f"{url.database}.key.before")
    return _read(file) if file.exists() else None


def check_site_key(settings: Settings, url: URL | None) -> None:
    """Check the key before the service starts; creates nothing, and leaves a file that cannot be read to the start.

    :raises BadInput: there is none although several processes must share it, or it or the one before is damaged.
    """
    if url is None:
        return
    with suppress(OSError):
        key_before(settings, url)
    if settings.database_key is None:
        file = _key_file(url)
        with suppress(OSError):
            _read(file)


def _key_file(url: URL) -> Path:
    if not is_file(url) or not url.database:
        raise WrongSetting("database_key", "required with a database server (32 or more random characters)")
    return Path(f"{url.database}.key")


def _read(file: Path) -> bytes:
    try:
        secret = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except ValueError:
        raise BadInput(f"{file.name}: not a key: put back the file that belongs to this database") from None
    if len(secret) < _KEY_BYTES:
        raise BadInput(f"{file.name}: too short for a key: put back the file that belongs to this database")
    return secret


def _make(file: Path) -> None:
    """Create the file atomically and only once: another process may be starting at the same time."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = tempfile.mkstemp(dir=file.parent)  # readable by this user alone
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as new:
            new.write(secrets.token_hex(_KEY_BYTES))
            new.flush()
            os.fsync(descriptor)  # an empty key after a power failure would cut the database off from its patients
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        Path(draft).unlink()
