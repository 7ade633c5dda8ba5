"""Settings are refused with the key that is wrong; what may be read and who may listen is decided strictly."""

from pathlib import Path

import pytest

from cds_hooks.settings.readable import ReadableServers, may_read
from cds_hooks.settings.settings import Settings, load_settings
from cds_hooks.starting.checks import refuse_open_address
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.addresses import is_loopback


def test_a_file_is_read_and_what_is_given_explicitly_wins(tmp_path: Path) -> None:
    file = tmp_path / "tandem.toml"
    file.write_text('port = 9000\nfhir_servers = ["https://ehr.example/fhir/"]\n')
    settings = load_settings(file, port=9001, host=None)
    assert settings.port == 9001
    assert settings.fhir_servers == ("https://ehr.example/fhir",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("prot = 1", "prot"),
        ("port = 70000", "port"),
        ('fhir_servers = ["http://ehr.example/fhir"]', "fhir_servers"),
        ('fhir_servers = ["https://me@ehr.example"]', "fhir_servers"),
        ("port = [", "not TOML"),
        ("deadline_seconds = 0", "deadline_seconds"),
    ],
)
def test_a_wrong_file_names_itself_and_the_key(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "tandem.toml"
    file.write_text(content)
    with pytest.raises(BadInput, match=rf"tandem\.toml:1: .*{said}"):
        load_settings(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.toml: cannot be read"):
        load_settings(tmp_path / "none.toml")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example", ""])  # noqa: S104
def test_nothing_else_is_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_an_open_service_refuses_to_be_reached_from_elsewhere() -> None:
    with pytest.raises(BadInput, match="--allow-open"):
        refuse_open_address(Settings(host="0.0.0.0"))  # noqa: S104 - what is refused


_EHR = {"issuer": "https://ehr.example/fhir", "name": "ehr", "title": "EHR", "client_id": "tandem"}
_CLIENT = {"name": "ehr", "issuer": "https://ehr.example", "key_set": "keys.json", "mode": "live"} | {
    "audience_base": "https://tandem.example"
}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"smart": [_EHR], "public_url": "https://tandem.example"}, "smart"),
        ({"clients": [_CLIENT], "replay_store": "memory"}, "replay_store"),
    ],
)
def test_what_lives_in_one_process_is_not_given_several(settings: dict[str, object], why: str) -> None:
    load_settings(None, **settings, workers=1)
    with pytest.raises(BadInput, match=f"workers: must be 1.*{why}"):
        load_settings(None, **settings, workers=2)


LISTED = ReadableServers(("https://ehr.example/fhir",))


@pytest.mark.parametrize(
    "server", ["https://ehr.example/fhir", "https://ehr.example/fhir/", "HTTPS://EHR.example/fhir"]
)
def test_a_listed_server_may_be_read(server: str) -> None:
    assert may_read(server, LISTED)


@pytest.mark.parametrize(
    "server",
    [
        "http://ehr.example/fhir",
        "https://ehr.example/fhir/../admin",
        "https://ehr.example/other",
        "https://ehr.example:8443/fhir",
        "https://ehr.example@evil.example/fhir",
        "https://evil.example#https://ehr.example/fhir",
        "https://evil.example?https://ehr.example/fhir",
        "https://ehr.example\\@evil.example/fhir",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:8080/fhir",
        "http://[::1]/fhir",
        "http://2130706433/fhir",
        "file:///etc/passwd",
        "ehr.example/fhir",
        "https://[broken/fhir",
        "https://ehr.example:port/fhir",
        "",
    ],
)
def test_any_other_server_may_not(server: str) -> None:
    assert not may_read(server, LISTED)


def test_loopback_may_be_read_where_the_site_allows_it() -> None:
    anything_here = ReadableServers((), loopback=True)
    assert may_read("http://127.0.0.1:8090/fhir", anything_here)
    assert not may_read("http://127.0.0.1@evil.example/fhir", anything_here)
    assert not may_read("ftp://127.0.0.1/fhir", anything_here)
