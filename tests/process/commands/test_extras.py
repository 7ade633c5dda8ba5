"""An extra that is not installed: one line that names it, never a traceback; pages keep their words."""

from __future__ import annotations

import sys
import tomllib
from datetime import date
from html import unescape
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.demo.stories import demo_patients
from cds_hooks.settings.settings import Settings
from fhir_plugin.errors import MissingExtra
from fhir_plugin.extras import DEMO, DISTRIBUTION, DRAWING, POSTGRESQL, TELEMETRY, Extra
from tests.support.commands.processes import tandem_without
from tests.support.hooks.calls import knowledge
from tests.support.smart.ehr import running_ehr
from tests.support.smart.fixtures import fhir, running_app, visitor

__all__ = ["fhir", "visitor"]

DAY = date(2026, 6, 1)
PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
POSTGRES = {"TANDEM_DATABASE": "postgresql://tandem@localhost/tandem", "TANDEM_DATABASE_KEY": "k" * 40}


def line(extra: Extra, place: str = "") -> str:
    needed = f"needs packages that are not installed: pip install 'tandem-cds[{extra.name}]'"
    return f"tandem: {place}{extra.needed_for} {needed}\n"


def bundle(folder: Path) -> str:
    file = folder / "bundle.json"
    file.write_bytes(next(patient.bundle for patient in demo_patients(DAY)))
    return str(file)


@pytest.mark.parametrize("extra", [DEMO, DRAWING, POSTGRESQL, TELEMETRY], ids=lambda extra: extra.name)
def test_an_extra_is_one_of_the_distribution_and_is_found_without_importing_it(extra: Extra) -> None:
    assert PROJECT["name"] == DISTRIBUTION
    assert extra.name in PROJECT["optional-dependencies"]
    assert extra.installed
    extra.require()


@pytest.mark.parametrize("module", DRAWING.modules)
def test_one_module_that_is_missing_is_enough(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtra, match=r"pip install 'tandem-cds\[drawing\]'"):
        DRAWING.require()


def test_a_module_that_nobody_has_is_missing() -> None:
    assert not Extra("none", "nothing", ("tandem_has_no_such_module",)).installed


@pytest.mark.parametrize("module", DRAWING.modules)
def test_a_picture_that_cannot_be_drawn_is_one_line(module: str, tmp_path: Path) -> None:
    picture = tmp_path / "course.svg"
    done = tandem_without([module], "course", "--bundle", bundle(tmp_path), "--svg", str(picture))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line(DRAWING))
    assert not picture.exists()


def test_the_words_of_a_course_need_no_extra(tmp_path: Path) -> None:
    done = tandem_without(
        [*DRAWING.modules, *POSTGRESQL.modules, *DEMO.modules],
        *("course", "--bundle", bundle(tmp_path), "--as-of", str(DAY)),
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_demo_without_its_server_is_one_line() -> None:
    done = tandem_without(DEMO.modules, "demo", "--no-browser", "--port", "0", "--fhir-port", "0")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line(DEMO))


@pytest.mark.parametrize("module", TELEMETRY.modules)
def test_spans_without_their_packages_are_one_line_before_anything_is_served(module: str, tmp_path: Path) -> None:
    file = tmp_path / "tandem.toml"
    file.write_text('telemetry = "http://127.0.0.1:4318"\n', encoding="utf-8")
    for words in (("serve", "--port", "0", "--config", str(file)), ("check-config", str(file))):
        done = tandem_without([module], *words, TANDEM_DATABASE="off")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", line(TELEMETRY, "tandem.toml:1: telemetry: "))


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("serve", "--port", "0"), "environment: TANDEM_DATABASE: "),
        (("database", "upgrade"), ""),
        (("feedback", "report"), ""),
    ],
)
def test_postgresql_without_its_driver_is_one_line_before_anything_is_served(
    words: tuple[str, ...], place: str
) -> None:
    done = tandem_without(POSTGRESQL.modules, *words, **POSTGRES)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line(POSTGRESQL, place))


def test_the_settings_are_checked_for_the_driver_too(tmp_path: Path) -> None:
    file = tmp_path / "tandem.toml"
    file.write_text('database = "postgresql://tandem@localhost/tandem"\nport = 0\n', encoding="utf-8")
    done = tandem_without(POSTGRESQL.modules, "check-config", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line(POSTGRESQL, "tandem.toml:1: database: "))


def test_the_sandbox_tells_in_words_what_it_cannot_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)  # type: ignore[arg-type]
    app = create_app(Settings(sandbox=True, database="off"), knowledge(), today=lambda: DAY)  # type: ignore[arg-type]
    client = TestClient(app, headers={"Sec-Fetch-Site": "same-origin"})
    form = {"source": "demo", "patient": "partial-response-to-tms", "hook": "patient-view", "order": "none"}
    page = client.post("/sandbox", data=form)
    assert page.status_code == 200
    assert page.text.count("Drawing is not installed on this server") == 1
    assert "data-course" not in page.text
    assert "Each value" in page.text
    sketch = unescape(page.text.split('name="sketch" value="', 1)[1].split('"', 1)[0])
    answer = client.post("/sandbox/course.svg", data={"sketch": sketch})
    assert answer.status_code == 400
    assert "tandem-cds[drawing]" in answer.text


@pytest.mark.server
def test_the_app_tells_in_words_what_it_cannot_draw(
    fhir: str, visitor: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)  # type: ignore[arg-type]
    with running_ehr(fhir) as ehr, running_app(ehr) as app:
        overview = visitor.get(app.launch())
        trials = visitor.get(str(overview.url).replace("/overview", "/trials"))
        for page, words in ((overview, "PHQ-9: "), (trials, " mg/day from 20")):
            assert page.status_code == 200
            assert page.text.count("Drawing is not installed on this server") == 1
            assert ".svg?narrow" not in page.text
            assert words in page.text
        assert visitor.get(str(overview.url).replace("/overview", "/course.svg")).status_code == 404
        assert visitor.get(str(overview.url).replace("/overview", "/doses.svg")).status_code == 404
