"""Everything that is wrong with settings is said at once: where it stands, what it is, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds_hooks.settings.mistakes import in_one_line
from cds_hooks.settings.settings import read_settings
from cds_hooks.settings.toml_lines import TomlLines

FILE = '''\
prot = 8000
log_level = "inof"
database_key = "a short secret"
mode = "live"
feedback_reasons = [
  "a|b",
  3,
]

# one client

[[clients]]
name = "a"
isuer = "x"
algorithms = [
]
mode = "liv"
host = "x"

[[clients]]
name = "b"
issuer = "i"
key_set = """
k"""
audience_base = "https://t.example"
mode = "live"
[[clients]]
name = "no name at all"
issuer = "i"
key_set = "k"
audience_base = "https://t.example"
mode = "live"
[[smart]]
name = "ehr"
'''


def said(tmp_path: Path, text: str, **options: object) -> list[str]:
    file = tmp_path / "tandem.toml"
    file.write_text(text, encoding="utf-8")
    return [mistake.line_of_text for mistake in read_settings(file, **options).mistakes]


def test_every_mistake_is_said_with_its_line_its_owner_and_what_was_meant(tmp_path: Path) -> None:
    assert said(tmp_path, FILE) == [
        "tandem.toml: public_url: needed where there is a smart issuer",
        'tandem.toml:1: prot: is no setting; did you mean "port"?',
        "tandem.toml:2: log_level: must be 'debug', 'info', 'warning', 'error' or 'critical'; did you mean \"info\"?",
        "tandem.toml:3: database_key: must have at least 32 characters",
        "tandem.toml:4: mode: is no setting here: it belongs in a [[clients]] table",
        "tandem.toml:5: feedback_reasons[1]: must be a valid string",
        "tandem.toml:12: clients.a.issuer: is required",
        "tandem.toml:12: clients.a.key_set: is required",
        "tandem.toml:12: clients.a.audience_base: is required",
        'tandem.toml:14: clients.a.isuer: is no setting; did you mean "issuer"?',
        "tandem.toml:15: clients.a.algorithms: must have at least 1 entries",
        "tandem.toml:17: clients.a.mode: must be 'off', 'silent' or 'live'; did you mean \"live\"?",
        "tandem.toml:18: clients.a.host: is no setting here: it belongs above the first [[...]] table",
        "tandem.toml:28: clients.3.name: must match pattern '^[a-z0-9][a-z0-9-]{0,63}$'",
        "tandem.toml:29: clients.3.issuer: b and 3 have the same issuer: give each its own tenant",
        "tandem.toml:33: smart.ehr.title: is required",
        "tandem.toml:33: smart.ehr.issuer: is required",
        "tandem.toml:33: smart.ehr.client_id: is required",
    ]


def test_a_table_in_single_brackets_is_told_from_one_of_several(tmp_path: Path) -> None:
    assert said(tmp_path, 'port = 1\n[clients]\nname = "a"\n') == [
        "tandem.toml:2: clients: must be a list of tables: write [[clients]], in double brackets"
    ]


def test_what_is_right_can_be_checked_beside_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "tandem.toml"
    file.write_text(FILE)
    reading = read_settings(file)
    assert reading.settings is not None
    assert [client.key_set for client in reading.settings.clients][1:] == ["k", "k"]
    assert {"prot", "clients", "smart", "public_url"} <= reading.spoilt
    assert "port" not in reading.spoilt


@pytest.mark.parametrize("secret", ["a short secret", "no name at all"])
def test_no_value_is_quoted(tmp_path: Path, secret: str) -> None:
    assert secret in FILE
    assert not [line for line in said(tmp_path, FILE) if secret in line]


def test_clients_that_share_an_issuer_are_told_apart_by_name(tmp_path: Path) -> None:
    entry = '[[clients]]\nname = "{}"\nissuer = "i"\nkey_set = "k"\naudience_base = "https://t.example"\nmode = "off"\n'
    lines = said(tmp_path, "sandbox = true\n" + entry.format("a") + entry.format("b"))
    assert lines == [
        "tandem.toml:1: sandbox: shows cards to anybody who asks, and so not where there are clients",
        "tandem.toml:10: clients.b.issuer: a and b have the same issuer: give each its own tenant",
    ]


def test_the_environment_and_options_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_FHIR_SERVERS", "https://ehr.example")
    monkeypatch.setenv("TANDEM_QUIET_DAY", "3")
    monkeypatch.setenv("TANDEM_SERVICE_HOST", "10.0.0.1")  # an orchestrator sets it for a service of that name
    assert said(tmp_path, "", port=70_000) == [
        'environment: TANDEM_QUIET_DAY: is no setting; did you mean "TANDEM_QUIET_DAYS"?',
        "option: --port: must be less than or equal to 65535",
        "environment: TANDEM_FHIR_SERVERS: must be a list, written as JSON in the environment",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe", "tandem.toml: not TOML: it is not written in UTF-8"),
        (b"port = 1\nport = 2\n", "tandem.toml:2: not TOML: Cannot overwrite a value"),
        (b"port = 1\nhost = [", "tandem.toml:2: not TOML: Invalid value"),
    ],
)
def test_a_file_that_is_none_says_so(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "tandem.toml"
    file.write_bytes(content)
    reading = read_settings(file)
    assert (reading.settings, [mistake.line_of_text for mistake in reading.mistakes]) == (None, [words])


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "tandem.toml").write_bytes(b"\xef\xbb\xbfport = 9000\n")
    assert not read_settings(tmp_path / "tandem.toml").mistakes


def test_the_first_mistake_and_their_number_fit_into_one_line(tmp_path: Path) -> None:
    (tmp_path / "tandem.toml").write_text("prot = 1\nhots = 2\n")
    mistakes = read_settings(tmp_path / "tandem.toml").mistakes
    assert in_one_line(mistakes[:1]) == 'tandem.toml:1: prot: is no setting; did you mean "port"?'
    assert in_one_line(mistakes).endswith('"port"? (and 1 more: tandem check-config shows all)')


def test_lines_are_found_in_every_shape_of_toml() -> None:
    lines = TomlLines(FILE + "[other.table]\na.b = 1\nlist = [{x = 1},\n {x = 2}]\n")
    assert lines.of(("feedback_reasons", 1)) == 5
    assert lines.of(("clients", 1, "key_set")) == 23
    assert lines.of(("clients", 2)) == 27
    assert lines.of(("other", "table", "a", "b")) == 36
    assert lines.of(("other", "table", "list", "x")) == 37
    assert lines.of(("nothing",)) is None


def test_a_long_list_is_read_once() -> None:
    listed = "\n".join(f'  "system|{number}",' for number in range(20_000))
    assert TomlLines(f"feedback_reasons = [\n{listed}\n]\nport = 1\n").of(("port",)) == 20_003
