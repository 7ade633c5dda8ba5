"""What a start does not load, so that it takes no time: counted by module, not by clock."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cds_hooks.demo.stories import demo_patients
from mappings.schema.instruments import load_instruments
from tests.support.commands.processes import imported_by
from tests.support.scores.responses import response

DAY = date(2026, 6, 1)
SERVICE = {
    "fastapi",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "alembic",
    "jinja2",
    "altair",
    "vl_convert",
    "fhir.resources",
}
CLIENT = {"httpx", "httpcore", "cryptography"}
KNOWLEDGE = {"pydantic", "yaml", "rich"}


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("hlep",), ()], ids=" ".join)
def test_what_names_no_command_loads_none(words: tuple[str, ...]) -> None:
    loaded = imported_by(*words)
    assert not loaded & (SERVICE | CLIENT | KNOWLEDGE)
    assert not [
        name
        for name in loaded
        if name.startswith(("cds_hooks.commands", "mappings.schema.load", "mappings.schema.base.entries"))
    ]


def test_a_score_loads_no_service_and_no_client(tmp_path: Path) -> None:
    instruments = load_instruments()
    file = tmp_path / "response.json"
    file.write_bytes(response(instruments, instruments["phq9"], [1] * 9, id="r1"))
    loaded = imported_by("score", str(file))
    assert not loaded & (SERVICE | CLIENT | {"rich", "mappings.schema.load"})
    assert "fhir_plugin.scales.scoring" in loaded


@pytest.mark.parametrize("command", ["assess", "trials", "course"])
def test_reading_a_file_loads_no_service_and_no_client(command: str, tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    file.write_bytes(next(patient.bundle for patient in demo_patients(DAY)))
    loaded = imported_by(command, "--bundle", str(file), "--as-of", str(DAY))
    assert not loaded & (SERVICE | CLIENT | {"rich"})
    assert "fhir_plugin.record.decoding" in loaded
