"""A token earned by a key: given only for the right assertion, sent only where it belongs, never told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc.jwk import ECKey, RSAKey
from typer.testing import CliRunner

from cds_hooks.cli.main import app
from fhir_plugin.errors import BadInput, PermanentlyUnavailable, TemporarilyUnavailable
from fhir_plugin.reading.backend_services import fetch_token, read_key
from tests.support.reading.authorization import TOKEN, Authorization, guarded_server
from tests.support.reading.material import PATIENT

EC = ECKey.generate_key("P-384")
KEYS = {"ES384": EC, "RS384": RSAKey.generate_key(2048)}


def written(folder: Path, key: Any, form: str = "pem") -> Path:
    path = folder / f"key.{form}"
    path.write_bytes(key.as_pem(private=True) if form == "pem" else msgspec.json.encode(key.as_dict(private=True)))
    return path


@pytest.fixture
def authorization() -> Authorization:
    return Authorization(EC)


@pytest.fixture
def base_url(authorization: Authorization) -> Iterator[str]:
    with guarded_server(authorization) as url:
        yield url


@pytest.mark.parametrize("form", ["pem", "jwk"])
@pytest.mark.parametrize("algorithm", KEYS)
def test_a_key_of_either_kind_and_form_earns_a_token(algorithm: str, form: str, tmp_path: Path) -> None:
    authorization = Authorization(KEYS[algorithm], algorithms=(algorithm,))
    with guarded_server(authorization) as base_url:
        key = read_key("tandem", written(tmp_path, KEYS[algorithm], form))
        assert fetch_token(base_url, key, ["Patient", "Condition"], 5) == TOKEN
    assert authorization.scopes == ["system/Condition.rs", "system/Patient.rs"]


def test_each_token_is_earned_by_an_assertion_of_its_own(
    authorization: Authorization, base_url: str, tmp_path: Path
) -> None:
    key = read_key("tandem", written(tmp_path, EC))
    for _ in range(3):
        assert fetch_token(base_url, key, ["Patient"], 5) == TOKEN
    assert len(authorization.seen) == 3


def test_another_key_and_another_client_earn_nothing(base_url: str, tmp_path: Path) -> None:
    stranger = written(tmp_path, ECKey.generate_key("P-384"))
    for key in (read_key("tandem", stranger), read_key("somebody", written(tmp_path, EC))):
        with pytest.raises(PermanentlyUnavailable, match=r"the server issued no token \(400\)"):
            fetch_token(base_url, key, ["Patient"], 5)


@pytest.mark.parametrize(
    "named",
    [
        "http://ehr.example/token",
        "ftp://127.0.0.1/token",
        "https://user@ehr.example/token",
        "https://ehr.example/#a",
        "",
    ],
)
def test_nothing_is_signed_for_an_address_that_others_may_listen_to(
    named: str, authorization: Authorization, base_url: str, tmp_path: Path
) -> None:
    authorization.configuration = {"token_endpoint": named}
    with pytest.raises(PermanentlyUnavailable, match="not https"):
        fetch_token(base_url, read_key("tandem", written(tmp_path, EC)), ["Patient"], 5)
    assert authorization.asked == ["/fhir/.well-known/smart-configuration"]


@pytest.mark.parametrize(
    "said", [{"token_endpoint": 3}, {"token_endpoint_auth_methods_supported": ["client_secret_basic"]}]
)
def test_a_server_without_the_way_is_named_as_such(
    said: dict[str, Any], authorization: Authorization, base_url: str, tmp_path: Path
) -> None:
    authorization.configuration = said
    with pytest.raises(PermanentlyUnavailable, match="the server does not"):
        fetch_token(base_url, read_key("tandem", written(tmp_path, EC)), ["Patient"], 5)


def test_a_server_that_cannot_be_reached_may_be_tried_again(tmp_path: Path) -> None:
    with pytest.raises(TemporarilyUnavailable, match="connection failed"):
        fetch_token("http://127.0.0.1:9/fhir", read_key("tandem", written(tmp_path, EC)), ["Patient"], 2)


def test_what_is_no_private_key_is_refused_in_one_line(tmp_path: Path) -> None:
    public = tmp_path / "public.pem"
    public.write_bytes(EC.as_pem(private=False))
    nonsense = tmp_path / "nonsense"
    nonsense.write_bytes(b"\xff not a key")
    short = written(tmp_path, ECKey.generate_key("P-256"))
    for path in (public, nonsense, short, tmp_path / "missing"):
        with pytest.raises(BadInput) as raised:
            read_key("tandem", path)
        assert "\n" not in str(raised.value)
        assert path.name in str(raised.value)


def test_a_command_reads_with_the_token_that_its_key_earned(
    authorization: Authorization, base_url: str, tmp_path: Path
) -> None:
    key = str(written(tmp_path, EC))
    options = ["--fhir", base_url, "--patient", PATIENT, "--client-id", "tandem", "--key", key, "--as-of", "2026-01-15"]
    done = CliRunner().invoke(app, ["assess", *options, "--format", "json"])
    assert done.exit_code == 0, done.output
    assert TOKEN not in done.output
    assert any(path.startswith("/fhir/Condition") for path in authorization.asked)
    assert "system/Patient.rs" in authorization.scopes


@pytest.mark.parametrize(
    "options", [["--client-id", "tandem"], ["--key", "k.pem"], ["--client-id", "a", "--key", "k.pem", "--token", "t"]]
)
def test_half_of_a_client_is_a_wrong_use(options: list[str], base_url: str) -> None:
    done = CliRunner().invoke(app, ["assess", "--fhir", base_url, "--patient", PATIENT, *options])
    assert isinstance(done.exception, BadInput)
    assert "--client-id" in str(done.exception)


def test_an_unknown_profile_is_a_wrong_use(base_url: str) -> None:
    done = CliRunner().invoke(app, ["assess", "--fhir", base_url, "--patient", PATIENT, "--profile", "nope"])
    assert isinstance(done.exception, BadInput)
    assert "generic-r4" in str(done.exception)
