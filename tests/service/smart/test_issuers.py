"""An EHR in the settings is right, or the service does not start and says which key of it is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from cds_hooks.application.app import create_app
from cds_hooks.settings.issuers import Issuer
from cds_hooks.settings.settings import load_settings
from fhir_plugin.errors import BadInput
from tests.support.commands.command import tandem
from tests.support.hooks.calls import knowledge
from tests.support.trust.files import EXAMPLE, as_toml


def file_with(folder: Path, public_url: str = 'public_url = "https://tandem.example"', **changes: Any) -> Path:
    """A file with one EHR, changed; ``...`` takes a key away."""
    members: dict[str, Any] = {
        "name": "general",
        "title": "General Hospital",
        "issuer": "https://ehr.example/fhir",
        "client_id": "tandem",
    } | changes
    lines = [f"{name} = {as_toml(value)}" for name, value in members.items() if value is not ...]
    file = folder / "tandem.toml"
    file.write_text("\n".join([public_url, "[[smart]]", *lines]))
    return file


def key_file(folder: Path, curve: str = "P-384") -> str:
    file = folder / "app.pem"
    file.write_bytes(ECKey.generate_key(curve).as_pem(private=True))
    return str(file)


def test_the_example_names_every_key() -> None:
    content = EXAMPLE.read_text()
    (entry,) = tomllib.loads(content)["smart"]
    assert set(entry) <= set(Issuer.model_fields)
    part = content.partition("[[smart]]")[2]
    for name in Issuer.model_fields:
        assert f"\n{name} = " in part or f"\n# {name} = " in part, name
    create_app(load_settings(file := EXAMPLE).model_copy(update={"clients": ()}), knowledge())
    assert load_settings(file).smart[0].issuer == "https://ehr.example/fhir"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"name": "General Hospital"}, "name"),
        ({"title": ""}, "title"),
        ({"issuer": "http://ehr.example/fhir"}, "issuer"),
        ({"issuer": "http://10.1.2.3/fhir"}, "issuer"),
        ({"issuer": "https://user@ehr.example/fhir"}, "issuer"),
        ({"issuer": "https://ehr.example/fhir?x"}, "issuer"),
        ({"issuer": ...}, "issuer"),
        ({"client_id": ...}, "client_id"),
        ({"isuer": "x"}, "isuer"),
        ({"profile": "other"}, "profile"),
        ({"key": "no-such-file.pem"}, "key"),
        ({"key": str(EXAMPLE)}, "key"),
        ({"frame_ancestors": ["https://ehr.example/"]}, "frame_ancestors"),
        ({"frame_ancestors": ["https://ehr.example;script-src"]}, "frame_ancestors"),
        ({"frame_ancestors": ["https://ehr.example *"]}, "frame_ancestors"),
        ({"frame_ancestors": ["http://ehr.example"]}, "frame_ancestors"),
        ({"frame_ancestors": ["*"]}, "frame_ancestors"),
        ({"scopes": "v3"}, "scopes"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 100_000}, "minutes"),
    ],
)
def test_a_wrong_ehr_is_refused_by_its_key(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    file = file_with(tmp_path, **changes)
    with pytest.raises(BadInput, match=rf"smart\.(1|general)\.{key}\b"):
        create_app(load_settings(file), knowledge())


def test_a_key_that_no_server_knows_is_refused_at_start(tmp_path: Path) -> None:
    file = file_with(tmp_path, key=key_file(tmp_path, "P-256"))
    with pytest.raises(BadInput, match=r"smart\.general\.key: .*P-256"):
        create_app(load_settings(file), knowledge())


def test_an_app_without_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="public_url: needed"):
        load_settings(file_with(tmp_path, public_url=""))


def test_a_secret_and_a_key_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not both"):
        load_settings(file_with(tmp_path, client_secret="s3cret", key=key_file(tmp_path)))


def check(file: Path) -> str:
    done = tandem("check-config", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_check_config_shows_the_ehrs_and_no_secret(tmp_path: Path) -> None:
    shown = check(file_with(tmp_path, client_secret="s3cret-of-the-app"))
    assert "s3cret" not in shown
    assert "public_url: https://tandem.example\n" in shown
    part = shown.partition("smart general:\n")[2]
    assert "  issuer: https://ehr.example/fhir\n" in part
    assert "  authenticates by: secret\n" in part
    key = key_file(tmp_path)
    shown = check(file_with(tmp_path, key=key))
    assert f"  key: {key}\n" in shown
    assert "(ES384)" in shown
    assert Path(key).read_text().splitlines()[1] not in shown
