"""Calls that a site kept, made again: with this version, and with another version of the knowledge."""

from __future__ import annotations

import errno
import json
import shutil
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.replay import capture
from cds_hooks.replay.differences import differences
from cds_hooks.settings.settings import Settings
from mappings.schema.base.files import KNOWLEDGE
from tests.support.commands.command import tandem
from tests.support.hooks.calls import DAY, KETAMINE, ORDER_SIGN, PATIENT_VIEW, body, knowledge, order

CALLS = [("uncontrolled-hypertension", ORDER_SIGN), ("trauma", PATIENT_VIEW), ("two-failures", ORDER_SIGN)]


def made(client: TestClient, patient: str, url: str) -> None:
    drafts = [order(KETAMINE, patient)] if url == ORDER_SIGN else []
    assert client.post(url, json=body(url, patient, *drafts)).status_code == 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a service kept of three calls."""
    kept = tmp_path_factory.mktemp("captured") / "calls"
    settings = Settings(capture=kept, capture_secret=SecretStr("a secret of at least thirty-two letters"))
    with TestClient(create_app(settings, knowledge(), today=lambda: DAY)) as client:
        for patient, url in CALLS:
            made(client, patient, url)
    return kept


def test_each_call_is_a_file_for_the_owner_only(folder: Path) -> None:
    files = sorted(folder.iterdir())
    assert len(files) == len(CALLS)
    assert all(path.suffix == ".json" and stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_without_the_setting_nothing_is_kept(tmp_path: Path) -> None:
    with TestClient(create_app(Settings(), knowledge(), today=lambda: DAY)) as client:
        made(client, *CALLS[0])
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_makes_room(tmp_path: Path) -> None:
    settings = Settings(capture=tmp_path / "calls", capture_most=2)
    with TestClient(create_app(settings, knowledge(), today=lambda: DAY)) as client:
        for patient, url in CALLS:
            made(client, patient, url)
    hooks = [json.loads(path.read_bytes())["hook"] for path in (tmp_path / "calls").iterdir()]
    assert sorted(hooks) == ["order-sign", "patient-view"]


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left")

    with TestClient(create_app(Settings(capture=tmp_path / "calls"), knowledge(), today=lambda: DAY)) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", full)
            made(client, *CALLS[0])
        assert list((tmp_path / "calls").iterdir()) == []
        made(client, *CALLS[0])
    assert [path.suffix for path in (tmp_path / "calls").iterdir()] == [".json"]


def test_a_folder_that_cannot_be_written_to_fails_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = iter((errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ENOENT))

    def refuse(*_: object) -> int:
        raise OSError(next(faults), "")

    with TestClient(create_app(Settings(capture=tmp_path / "calls"), knowledge(), today=lambda: DAY)) as client:
        monkeypatch.setattr(capture.os, "open", refuse)
        for _ in range(4):
            made(client, *CALLS[0])
        monkeypatch.undo()
    assert list((tmp_path / "calls").iterdir()) == []
    assert capsys.readouterr().err.count('"event":"call not captured"') == 4


def test_what_a_kill_left_half_written_is_swept_at_the_start(tmp_path: Path) -> None:
    left, other = tmp_path / f"{'0a' * 16}.part", tmp_path / "notes.part"
    for path in (left, other):
        path.touch()
    create_app(Settings(capture=tmp_path), knowledge(), today=lambda: DAY)
    assert list(tmp_path.iterdir()) == [other], "and nothing of anybody else"


def test_the_same_version_gives_the_same_cards(folder: Path) -> None:
    done = tandem("replay", str(folder))
    assert (done.returncode, done.stdout) == (0, "3 calls: 3 the same, 0 different\n"), done.stderr


def test_other_knowledge_is_held_against_ours_card_by_card(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "knowledge"
    shutil.copytree(KNOWLEDGE, other, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    limits = other / "criteria" / "blood_pressure.hold.yaml"
    text = limits.read_text().replace("{value: 140,", "{value: 190,").replace("{value: 90,", "{value: 120,")
    limits.write_text(text)
    done = tandem("replay", str(folder), "--knowledge", str(other))
    said = done.stdout
    assert done.returncode == 1, done.stderr
    assert said.endswith("3 calls: 2 the same, 1 different\n")
    assert "card 1: [critical] Ketamine: hold. BP " in said
    assert " -> [" in said


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "tandem-replay-9"}'])
def test_what_is_no_replay_file_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    done = tandem("replay", str(path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "not a replay file" in done.stderr


def test_a_folder_without_replay_files_is_said(tmp_path: Path) -> None:
    assert tandem("replay", str(tmp_path)).returncode == 2


def test_differences_name_what_is_new_gone_and_changed() -> None:
    one = {"indicator": "info", "summary": "A", "detail": "a\nb", "links": []}
    assert list(differences([one], [one])) == []
    assert list(differences([one], [])) == ["card 1: gone: [info] A", "    -a", "    -b", "    links changed"]
    assert next(iter(differences([], [one]))) == "card 1: new: [info] A"
    changed = {**one, "indicator": "warning", "detail": "a\nc"}
    assert list(differences([one], [changed])) == ["card 1: [info] A -> [warning] A", "    -b", "    +c"]
