"""The key of the database is replaced: what was quiet under the one before stays quiet, and nothing else changes."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from fhir_plugin.errors import BadInput
from tests.support.hooks.calls import PATIENT_VIEW
from tests.support.memory.service import call, overridden, remembering, rows, tell

OLD, NEW, OTHER = "o" * 32, "n" * 32, "x" * 32
PATIENT = "two-failures"


def shown(service: TestClient) -> list[str]:
    """The card with the criteria, unless it is quiet."""
    cards = call(service, PATIENT_VIEW, PATIENT)
    return [card["uuid"] for card in cards if card["summary"].startswith("Ketamine")]


def override(service: TestClient) -> str:
    """The one card is overridden."""
    (card,) = shown(service)
    assert tell(service, PATIENT_VIEW, overridden(card)).status_code == 200
    return card


def test_with_the_key_before_it_stays_quiet_and_without_it_returns(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with remembering(file, database_key=OLD) as service:
        override(service)
    with remembering(file, database_key=NEW, database_key_before=OLD) as service:
        assert shown(service) == []
    for keys in ({"database_key": NEW}, {"database_key": NEW, "database_key_before": OTHER}):
        with remembering(file, **keys) as service:
            assert len(shown(service)) == 1


def test_what_is_new_is_kept_under_the_new_key(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with remembering(file, database_key=OLD) as service:
        shown(service)
    with remembering(file, database_key=NEW, database_key_before=OLD) as service:
        override(service)
        assert shown(service) == []
    with remembering(file, database_key=NEW) as service:
        assert shown(service) == [], "the key before is needed for what is from before"
    assert len(rows(file, "SELECT DISTINCT patient FROM cards")) == 2


def test_feedback_on_a_card_that_was_shown_under_the_key_before_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with remembering(file, database_key=OLD) as service:
        (card,) = shown(service)
    with remembering(file, database_key=NEW, database_key_before=OLD) as service:
        assert tell(service, PATIENT_VIEW, overridden(card)).status_code == 200
        assert shown(service) == []
    assert rows(file, "SELECT card FROM feedback") == [(card,)]


def test_a_key_file_is_replaced_by_moving_it_aside(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    key, before = (tmp_path / f"memory.sqlite.{ending}" for ending in ("key", "key.before"))
    with remembering(file) as service:
        override(service)
    key.rename(before)
    with remembering(file) as service:
        assert shown(service) == []
    assert key.read_text() != before.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    before.unlink()
    with remembering(file) as service:
        assert len(shown(service)) == 1


def test_a_damaged_key_before_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "memory.sqlite.key").write_text(secrets.token_hex(32))
    (tmp_path / "memory.sqlite.key.before").write_text("no key")
    with (
        pytest.raises(BadInput, match=r"^memory\.sqlite\.key\.before: not a key"),
        remembering(tmp_path / "memory.sqlite"),
    ):
        pass
