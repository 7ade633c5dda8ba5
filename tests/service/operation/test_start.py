"""A start that cannot be says why: one line, exit status 2; the check of the settings says all of it beforehand."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cds_hooks.clients.knowledge_in_use import KnowledgeInUse
from cds_hooks.commands import serve
from cds_hooks.settings.settings import Settings
from cds_hooks.starting.listening import AddressInUse, listen, take_calls
from cds_hooks.telemetry import logs
from fhir_plugin.errors import BadInput
from tests.support.commands.command import tandem
from tests.support.hooks.calls import knowledge
from tests.support.trust.files import file_with
from tests.support.trust.signing import key_set

SECRET = "correct-horse-battery-staple-and-more"
CLIENT = """
[[clients]]
name = "general"
issuer = "https://ehr.example"
audience_base = "https://tandem.example"
mode = "off"
key_set = "{}"
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('database = "postgresql://tandem:{}@db.example/tandem"', "database_key: required with a database server"),
        ('database = "postgresql://tandem:{}@x@db.example:port/tandem"', "1: database: must be off, sqlite:///path"),
        ('site = "none.yaml"', "1: site: none.yaml: cannot be read: No such file or directory"),
        ('site = "latin1.yaml"', "1: site: latin1.yaml: not YAML: it is not written in UTF-8"),
        ('site = "folder"', "1: site: folder: cannot be read: Is a directory"),
        ('capture = "latin1.yaml/calls"', "1: capture: "),
        (CLIENT.format("none.json"), "7: clients.general.key_set: cannot be read: No such file or directory"),
        (CLIENT.format("empty.json"), "7: clients.general.key_set: holds no public key"),
        ('replay_store = "latin1.yaml"' + CLIENT.format("keys.json"), "1: replay_store: latin1.yaml cannot be used"),
        ('replay_store = "empty.json/x"' + CLIENT.format("keys.json"), "1: replay_store: empty.json/x cannot be used"),
        ('replay_store = "none/x"' + CLIENT.format("keys.json"), "1: replay_store: none/x cannot be used: its folder"),
        (
            f'database_key = "{SECRET}"\ndatabase = "postgresql://tandem:{{}}@db.example/tandem?sslmode=require"',
            "2: database: behind ? may stand database, host, passfile",
        ),
        (
            f'database_key = "{SECRET}"\ndatabase = "postgresql://tandem:{{}}@db.example/tandem?port={{}}"',
            "2: database: behind ? may stand database, host, passfile",
        ),
        (
            f'replay_store = "redis"\nredis = "redis://:{SECRET}/x@h:1/0"' + CLIENT.format("keys.json"),
            "2: redis: cannot",
        ),
        (f'replay_store = "redis"\nredis = "redis://h/0?{SECRET}=1"' + CLIENT.format("keys.json"), "2: redis: cannot"),
        ("port = 8000\nprot = 1", '2: prot: is no setting; did you mean "port"?'),
    ],
)
def test_both_say_what_is_wrong_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin1.yaml").write_bytes(b"title: caf\xe9\n")
    (tmp_path / "empty.json").write_text('{"keys": []}')
    (tmp_path / "keys.json").write_text(Path(key_set("ec-1")).read_text())
    (tmp_path / "site.toml").write_text(text.replace("{}", SECRET))
    for command in (("serve", "--config", "site.toml"), ("check-config", "site.toml")):
        done = tandem(*command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("tandem: site.toml:")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert SECRET not in done.stderr


def test_a_user_without_a_home_folder_is_told_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME", "HOME", "TANDEM_DATABASE", "TANDEM_REPLAY_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    done = tandem("check-config", str(file_with(tmp_path)))
    words = "this user has no home folder: set STATE_DIRECTORY to a folder that can be written"
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"tandem: tandem.toml: {key}: {words}" for key in ("database", "replay_store")]


def test_every_mistake_of_every_kind_is_shown_at_once(tmp_path: Path) -> None:
    file = file_with(
        tmp_path,
        f'prot = 1\ndatabase = "postgresql://u:{SECRET}@h/x"\nsite = "none.yaml"\nhost = "nowhere.invalid"',
        key_set="none.json",
        profile="epik",
        isuer="x",
    )
    done = tandem("check-config", str(file))
    places = [line.split(": ")[1:3] for line in done.stderr.splitlines()]
    assert places == [
        ["tandem.toml", "database_key"],
        ["tandem.toml:1", "prot"],
        ["tandem.toml:3", "site"],
        ["tandem.toml:8", "clients.general.key_set"],
        ["tandem.toml:11", "clients.general.profile"],
        ["tandem.toml:12", "clients.general.isuer"],
    ]
    assert 'did you mean "epic"?' in done.stderr
    assert (done.returncode, done.stdout) == (2, "")
    as_json = tandem("check-config", "--json", str(file))
    told = json.loads(as_json.stdout)
    assert (as_json.returncode, as_json.stderr, told["settings"]) == (2, "", {})
    assert told["mistakes"][4] == {
        "file": "tandem.toml",
        "line": 11,
        "client": "general",
        "key": "profile",
        "wrong": "is none: choose one of azure, epic, generic-r4, google, hapi, oracle-health",
        "meant": "epic",
    }
    assert SECRET not in done.stderr + as_json.stdout


def test_a_right_file_is_shown_as_json_without_its_secrets(tmp_path: Path) -> None:
    file = file_with(tmp_path, f'port = 0\ndatabase_key = "{SECRET}"')
    told = json.loads(tandem("check-config", "--json", str(file)).stdout)
    assert (told["mistakes"], told["settings"]["port"]) == ([], "0")
    assert told["clients"]["general"]["keys"] == "ec-1 (EC)"
    assert SECRET not in json.dumps(told)
    assert not (tmp_path / "state").exists(), "a check creates nothing"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_port_in_use_ends_the_start_and_is_a_note_of_the_check(tmp_path: Path, taken: int) -> None:
    """The service itself may be what listens there while its new settings are checked."""
    done = tandem("serve", "--port", str(taken))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tandem: port: cannot listen on 127.0.0.1 port {taken}: Address already in use")
    (tmp_path / "tandem.toml").write_text(f"port = {taken}\n")
    done = tandem("check-config", str(tmp_path / "tandem.toml"))
    assert done.returncode == 0
    assert f"note: cannot listen on 127.0.0.1 port {taken}" in done.stdout


def test_an_address_of_no_machine_ends_both(tmp_path: Path) -> None:
    (tmp_path / "tandem.toml").write_text('host = "192.0.2.1"\nallow_open = true\n')
    for command in (("serve", "--config"), ("check-config",)):
        done = tandem(*command, str(tmp_path / "tandem.toml"))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("tandem: tandem.toml:1: host: cannot listen on 192.0.2.1")


def test_of_two_that_start_at_the_same_moment_one_says_why_it_ends() -> None:
    with listen("127.0.0.1", 0) as first, listen("127.0.0.1", first.getsockname()[1]) as second:
        take_calls(first)
        with pytest.raises(AddressInUse, match="Address already in use"):
            take_calls(second)


def test_what_fails_only_while_starting_is_said_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "capture_process_logs", lambda: None)
    (tmp_path / "memory.sqlite.key").write_text("zz")
    settings = Settings(port=0, database=f"sqlite:///{tmp_path}/memory.sqlite", log_level="critical")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"^memory\.sqlite\.key: not a key"):
        serve.run(settings, KnowledgeInUse(knowledge()))
    assert "Traceback" not in capfd.readouterr().err


class Fhir(BaseHTTPRequestHandler):
    """Two FHIR servers, of which one is of another release."""

    def do_GET(self) -> None:
        release = {"/r4/metadata": "4.0.1", "/stu3/metadata": "3.0.2"}.get(self.path)
        self.send_response(200 if release else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"resourceType": "CapabilityStatement", "fhirVersion": release}).encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def fhir() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Fhir) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_needs_the_network_is_checked_when_told_to(tmp_path: Path, fhir: str) -> None:
    servers = [f"{fhir}/r4", f"{fhir}/stu3", f"{fhir}/none"]
    top = f'port = 0\ndatabase = "sqlite:///{tmp_path}/damaged.sqlite"\ndatabase_key = "{SECRET}"'
    (tmp_path / "damaged.sqlite").write_bytes(b"no database" * 100)
    file = file_with(tmp_path, top, fhir_servers=servers, key_set=f"{fhir}/keys")
    done = tandem("check-config", "--connect", str(file))
    assert done.returncode == 2
    damaged = "it is damaged or no database: restore a copy, or move it away and a new one is made (DatabaseError)"
    assert done.stderr.splitlines() == [
        f"tandem: tandem.toml:2: database: it cannot be used: {damaged}",
        "tandem: tandem.toml:7: clients.general.key_set: 404",
        "tandem: tandem.toml:10: clients.general.fhir_servers[1]: it is no server of FHIR R4",
        "tandem: tandem.toml:10: clients.general.fhir_servers[2]: its metadata cannot be read: 404",
    ]
    assert done.stdout == "note: clients.general.fhir_servers.0: FHIR 4.0.1\n"


def test_a_redis_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    top = f'port = 0\ndatabase = "off"\nreplay_store = "redis"\nredis = "unix://:{SECRET}@{tmp_path}/none"'
    done = tandem("check-config", "--connect", str(file_with(tmp_path, top, key_set=key_set("ec-1"))))
    assert done.returncode == 2
    assert done.stderr == "tandem: tandem.toml:4: redis: the server cannot be used (ConnectionError)\n"


def test_a_database_without_its_tables_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    (tmp_path / "tandem.toml").write_text(f'port = 0\ndatabase = "sqlite:///{tmp_path}/empty.sqlite"')
    done = tandem("check-config", "--connect", str(tmp_path / "tandem.toml"))
    assert done.returncode == 2
    assert "tandem.toml:2: database: the tables are at revision none" in done.stderr
