"""A settings file is right, or the service does not start and says which key of it is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.commands import serve
from cds_hooks.settings.settings import Settings, load_settings
from cds_hooks.starting import checks, listening
from fhir_plugin.errors import BadInput
from tests.support.commands.command import tandem
from tests.support.hooks.calls import ORDER_SIGN, knowledge
from tests.support.profiles import examples
from tests.support.trust.files import EXAMPLE, as_toml, file_with


def test_the_example_is_right_and_names_every_key() -> None:
    given = tomllib.loads(EXAMPLE.read_text())
    (client,) = load_settings(EXAMPLE).clients
    assert client.mode == "silent"
    assert set(given["clients"][0]) <= set(type(client).model_fields)
    for name in type(client).model_fields:
        assert f"\n{name} = " in EXAMPLE.read_text() or f"\n# {name} = " in EXAMPLE.read_text(), name


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"mode": ...}, "mode"),
        ({"mode": "on"}, "mode"),
        ({"name": "General Hospital"}, "name"),
        ({"issuer": ""}, "issuer"),
        ({"issuer": ...}, "issuer"),
        ({"tenant": ""}, "tenant"),
        ({"isuer": "x"}, "isuer"),
        ({"key_set": ...}, "key_set"),
        ({"key_set": "http://ehr.example/jwks.json"}, "key_set"),
        ({"key_set": "https://user:secret@ehr.example/jwks.json"}, "key_set"),
        ({"key_set": "ftp://ehr.example/jwks.json"}, "key_set"),
        ({"key_set": "https://ehr.example\\@evil.example/jwks.json"}, "key_set"),
        ({"key_set": "no-such-file.json"}, "key_set"),
        ({"key_set": "/"}, "key_set"),
        ({"key_set": str(EXAMPLE)}, "key_set"),
        ({"key_set": "\0"}, "key_set"),
        ({"jku": "jwks.json"}, "jku"),
        ({"audience_base": "http://tandem.example"}, "audience_base"),
        ({"audience_base": "https://tandem.example?x"}, "audience_base"),
        ({"audience_base": "https://tandem.example:port"}, "audience_base"),
        ({"audience_base": "tandem.example"}, "audience_base"),
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": "ES384"}, "algorithms"),
        ({"leeway_seconds": -1}, "leeway_seconds"),
        ({"leeway_seconds": 3600}, "leeway_seconds"),
        ({"lifetime_seconds": 0}, "lifetime_seconds"),
        ({"lifetime_seconds": 1_000_000}, "lifetime_seconds"),
        ({"fhir_servers": ["http://ehr.example/fhir"]}, "fhir_servers"),
        ({"fhir_servers": ["https://ehr.example/fhir/../x"]}, "fhir_servers"),
        ({"fhir_servers": "https://ehr.example/fhir"}, "fhir_servers"),
        ({"allowed_origins": ["https://ehr.example/"]}, "allowed_origins"),
        ({"allowed_origins": ["ehr.example"]}, "allowed_origins"),
        ({"profile": "other"}, "profile"),
    ],
)
def test_a_wrong_client_is_refused_by_its_key(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    file = file_with(tmp_path, **changes)
    with pytest.raises(BadInput, match=rf"clients\.(1|general)\.{key}\b"):
        create_app(load_settings(file), knowledge())


@pytest.mark.parametrize(
    "key", ['fhir_servers = ["https://a.example"]', 'allowed_origins = ["*"]', "allow_loopback_fhir = true"]
)
def test_what_belongs_into_a_client_is_refused_beside_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadInput, match=rf"tandem\.toml:1: {key.split(maxsplit=1)[0]}: belongs in the"):
        load_settings(file_with(tmp_path, key))


@pytest.mark.parametrize("key", ["site", "knowledge", "shadow_site", "shadow_knowledge", "replay_store"])
def test_a_path_that_cannot_be_is_refused_by_its_key(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadInput, match=rf"tandem\.toml:1: {key}: is not a valid path"):
        load_settings(file_with(tmp_path, f'{key} = "a\\u0000b"'))


def test_the_sandbox_is_not_offered_where_callers_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"tandem\.toml:1: sandbox"):
        load_settings(file_with(tmp_path, "sandbox = true"))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({}, {}, "general and other have the same issuer"),
        ({"tenant": "a"}, {}, "general and other have the same issuer"),
        ({"tenant": "a"}, {"tenant": "a"}, "general and other have the same issuer"),
        ({"tenant": "a"}, {"tenant": "b", "name": "general"}, "two clients are named general"),
        ({"tenant": "a"}, {"tenant": "b"}, None),
        ({}, {"issuer": "https://other.example"}, None),
    ],
)
def test_every_token_belongs_to_one_client(
    tmp_path: Path, first: dict[str, str], second: dict[str, str], said: str | None
) -> None:
    text = file_with(tmp_path, **first).read_text() + file_with(tmp_path, **({"name": "other"} | second)).read_text()
    (tmp_path / "tandem.toml").write_text(text)
    if said is None:
        assert len(load_settings(tmp_path / "tandem.toml").clients) == 2
    else:
        with pytest.raises(BadInput, match=said):
            load_settings(tmp_path / "tandem.toml")


# The command


# Never half started

VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
    | st.sampled_from(["https://ehr.example", "http://ehr.example", "file:///etc/passwd", "*", "live", "ES384", "none"])
)  # fmt: skip
ANYTHING = VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=5), VALUES, max_size=2)
TOP = [name for name in Settings.model_fields if name != "clients"]


class Started(Exception):
    """The service has begun to listen."""


class Listener:
    """What takes the place of the socket."""

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def close(self) -> None:
        pass

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 8000

    def listen(self) -> None:
        raise Started


@given(
    st.dictionaries(st.sampled_from([*TOP, "prot", "clients"]), ANYTHING, max_size=2),
    st.dictionaries(st.sampled_from([*Settings.model_fields, "tenant", "issuer", "mode"]), ANYTHING, max_size=2)
    | st.fixed_dictionaries({}, optional=dict.fromkeys(("key_set", "algorithms", "fhir_servers", "jku"), ANYTHING)),
    st.none() | st.tuples(st.integers(0, 400), st.integers(0, 30), st.text(max_size=3)),
)
@examples(10, HealthCheck.function_scoped_fixture)
def test_a_changed_file_starts_guarded_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, top: dict[str, Any], client: dict[str, Any], cut: Any
) -> None:
    head = "\n".join(f"{name} = {as_toml(value)}" for name, value in top.items())
    file = file_with(tmp_path, head, **client)
    if cut:
        text = file.read_text()
        file.write_text(text[: cut[0]] + cut[2] + text[cut[0] + cut[1] :])
    apps: list[Any] = []
    monkeypatch.setattr(
        "cds_hooks.application.app.create_app", lambda *given: apps.append(create_app(*given)) or apps[-1]
    )
    monkeypatch.setattr(listening, "listen", lambda *_: Listener())
    monkeypatch.setattr(listening, "take_calls", Listener.listen)
    monkeypatch.setattr(checks, "listen", lambda *_: Listener())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checks, "load_common", lambda _: knowledge())
    refused = ""
    try:
        loaded, loaded_knowledge = checks.check_start(file).ready()
        serve.run(loaded, loaded_knowledge)
    except BadInput as fault:
        refused = str(fault)
    except Started:
        assert loaded.open or TestClient(apps[0]).post(ORDER_SIGN, content=b"{}").status_code == 401
        assert not loaded.open or not loaded.listens_beyond_loopback or loaded.allow_open
    finally:
        monkeypatch.undo()
    assert bool(refused) != bool(apps), "made and then refused, or neither"
    assert "\n" not in refused


def test_check_config_prints_what_is_set(tmp_path: Path) -> None:
    done = tandem("check-config", str(file_with(tmp_path, "port = 9000", fhir_servers=["https://ehr.example/fhir/"])))
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert {"port: 9000", "client general:", "  mode: live", "  fhir_servers: https://ehr.example/fhir"} <= set(said)
    assert "  keys: ec-1 (EC)" in said


def test_check_config_fetches_keys_when_it_is_told_to(tmp_path: Path) -> None:
    file = str(file_with(tmp_path, key_set="http://127.0.0.1:9/keys"))
    assert "--connect" in tandem("check-config", file).stdout
    done = tandem("check-config", "--connect", file)
    assert (done.returncode, done.stderr) == (2, "tandem: tandem.toml:5: clients.general.key_set: connection failed\n")


def test_check_config_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    done = tandem("check-config", str(file_with(tmp_path, key_set="missing.json")))
    assert (done.returncode, done.stdout) == (2, "")
    words = "clients.general.key_set: cannot be read: No such file or directory"
    assert done.stderr == f"tandem: tandem.toml:5: {words}\n"
