"""Where used tokens are recorded unless a setting says otherwise, and what is said while none can be let in."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cds_hooks.clients.replays.file import FileReplayStore
from cds_hooks.telemetry import logs
from fhir_plugin.errors import BadInput
from tests.support.hooks.calls import ORDER_SIGN
from tests.support.trust.signing import bearer, clients, recorded, service, signed

AN_HOUR = 3_600


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory of the service; what is recorded is up to the settings."""
    monkeypatch.delenv("TANDEM_REPLAY_STORE")
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/state")
    return tmp_path / "state"


def call(token: str) -> int:
    """The status of a call of a service that has just been started."""
    with TestClient(service(*clients(), replay_store=None).app) as guarded:
        return guarded.post(ORDER_SIGN, content=b"{}", headers=bearer(token)).status_code


def test_unless_it_is_set_the_record_lies_in_the_state_directory_and_outlives_the_process(state: Path) -> None:
    token = signed()
    assert call(token) == 401, "the record is new"
    file = state / "replays.sqlite"
    assert [each.stat().st_mode & 0o777 for each in (state, file)] == [0o700, 0o600]
    file.write_bytes(recorded().read_bytes())
    assert [call(token), call(token), call(signed())] == [400, 401, 400]


@pytest.mark.parametrize("broken", ["no folder", "a folder", "no database"])
def test_a_state_directory_that_cannot_be_used_ends_the_start_and_the_way_out_is_named(
    state: Path, broken: str
) -> None:
    if broken == "no folder":
        state.write_text("a file where a folder should be")
    elif broken == "a folder":
        (state / "replays.sqlite").mkdir(parents=True)
    else:
        state.mkdir()
        (state / "replays.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(BadInput, match=r"^replay_store: /.*/replays\.sqlite cannot be used: .*\"memory\"$"):
        service(*clients(), replay_store=None)
    with TestClient(service(*clients(), replay_store="memory").app) as guarded:
        assert guarded.get("/healthz").status_code == 200


def made_in_an_hour(folder: Path) -> Path:
    """A record that was made while the clock was ahead."""
    FileReplayStore(folder / "replays.sqlite", lambda: time.time() + AN_HOUR).close()
    return folder / "replays.sqlite"


@pytest.mark.parametrize(("kept", "least"), [("memory", 0), ("ahead", AN_HOUR - 60)])
def test_while_no_token_can_be_accepted_the_log_and_the_probe_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kept: str, least: int
) -> None:
    patient = [each for each in clients() if each.leeway_seconds]
    store = made_in_an_hour(tmp_path) if kept == "ahead" else kept
    logs.configure("info", "json")
    with TestClient(service(*patient, replay_store=store).app) as guarded:
        answer = guarded.get("/readyz")
        assert guarded.post(ORDER_SIGN, content=b"{}", headers=bearer(signed())).status_code == 401
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = (each for each in said if each["event"] == "tokens issued so far are refused")
    assert (line["level"], line["reason"]) == ("warning", "before-records")
    assert least < line["count"] <= least + 120
    assert answer.status_code == 503
    assert answer.json() | {"status": "no caller can be let in", "replay_store": "new"} == answer.json()


def test_with_a_record_from_before_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    with TestClient(service(*clients()).app) as guarded:
        assert guarded.get("/readyz").json()["replay_store"] == "open"
    assert "before-records" not in capsys.readouterr().err
