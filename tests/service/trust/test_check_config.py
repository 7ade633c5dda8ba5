"""``tandem check-config`` says what is wrong with a settings file, and starts nothing."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands.command import tandem
from tests.support.trust.files import file_with


def test_check_config_prints_what_is_set(tmp_path: Path) -> None:
    done = tandem("check-config", str(file_with(tmp_path, "port = 9000", fhir_servers=["https://ehr.example/fhir/"])))
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert {"port: 9000", "client general:", "  mode: live", "  fhir_servers: https://ehr.example/fhir"} <= set(said)
    assert "  keys: ec-1 (EC)" in said


def test_check_config_fetches_keys_when_it_is_told_to(tmp_path: Path) -> None:
    file = str(file_with(tmp_path, key_set="http://127.0.0.1:9/keys"))
    assert "--fetch-keys" in tandem("check-config", file).stdout
    done = tandem("check-config", "--fetch-keys", file)
    assert (done.returncode, done.stderr) == (2, "tandem: clients.general.key_set: connection failed\n")


def test_check_config_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    done = tandem("check-config", str(file_with(tmp_path, key_set="missing.json")))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tandem: clients.general.key_set: cannot be read: No such file or directory\n"
