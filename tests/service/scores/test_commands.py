"""``tandem score`` and ``tandem course``, and the picture."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import altair
import pytest

from cds_hooks.demo.stories import demo_patients
from fhir_plugin.courses.drawing import describe, draw_svg, picture
from fhir_plugin.courses.panels import specification
from fhir_plugin.facts.scores.read import ScoreHistory, read_scores
from fhir_plugin.facts.treatments.read import TreatmentHistory, read_treatments
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.record import Record
from mappings.schema.instruments import Instruments
from mappings.schema.treatments import Treatments
from tests.support.commands.command import tandem
from tests.support.scores.responses import response

AS_OF = date(2024, 6, 3)


@pytest.fixture
def response_file(instruments: Instruments, tmp_path: Path) -> Path:
    path = tmp_path / "response.json"
    path.write_bytes(response(instruments, instruments["phq9"], [1] * 9, id="r1"))
    return path


def demo_bundle(name: str) -> bytes:
    return next(patient.bundle for patient in demo_patients(AS_OF) if name in patient.id)


def read(name: str, instruments: Instruments, treatments: Treatments) -> tuple[ScoreHistory, TreatmentHistory]:
    record = record_from_bundle(demo_bundle(name))
    scores = read_scores(record, instruments, AS_OF)
    return scores, read_treatments(record, treatments, AS_OF, scores.assessments, instruments)


def test_a_response_gives_one_score_object(response_file: Path) -> None:
    done = tandem("score", str(response_file), "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["instrument"], found["total"], found["severity"]) == ("phq9", 9, "mild")
    assert found["flags"] == ["item9_positive"]


def test_a_bundle_gives_a_list_and_an_incomplete_one_no_total(instruments: Instruments, tmp_path: Path) -> None:
    resource = json.loads(response(instruments, instruments["phq9"], [1] * 8 + [None]))
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps({"resourceType": "Bundle", "entry": [{"resource": resource}]}), encoding="utf-8")
    done = tandem("score", str(path), "--format", "json")
    assert done.returncode == 0
    (found,) = json.loads(done.stdout)["scores"]
    assert found["total"] is None
    assert "incomplete" in found["flags"]


@pytest.mark.parametrize("content", ["", "{", '{"resourceType":"Patient"}', '{"resourceType":"QuestionnaireResponse"}'])
def test_what_cannot_be_scored_is_one_line_and_exit_3(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(content, encoding="utf-8")
    done = tandem("score", str(path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)


def test_the_course_is_told_and_drawn(tmp_path: Path) -> None:
    bundle, svg = tmp_path / "bundle.json", tmp_path / "course.svg"
    bundle.write_bytes(demo_bundle("partial-response-to-tms"))
    done = tandem("course", "--bundle", str(bundle), "--as-of", str(AS_OF), "--svg", str(svg))
    assert done.returncode == 0, done.stderr
    assert "TMS: 36 sessions" in done.stdout
    assert "partial response" in done.stdout
    root = ElementTree.fromstring(svg.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    assert root.attrib["role"] == "img"
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "Course of symptoms"


def test_the_picture_holds_every_value_and_joins_no_gap(instruments: Instruments, treatments: Treatments) -> None:
    scores, history = read("partial-response-to-ketamine", instruments, treatments)
    (panel,) = [each for each in picture(scores, history.courses, treatments).panels if each.instrument.id == "phq9"]
    assert [row["total"] for row in panel.values] == [each.total for each in scores.series("phq9")]
    joined = zip(panel.values, panel.values[1:], strict=False)
    for before, after in joined:
        days = (date.fromisoformat(after["day"][:10]) - date.fromisoformat(before["day"][:10])).days
        assert (before["part"] == after["part"]) == (days <= instruments.drawing.join_within_days.value)


def test_the_description_tells_what_the_picture_shows(instruments: Instruments, treatments: Treatments) -> None:
    scores, history = read("partial-response-to-ketamine", instruments, treatments)
    told = list(describe(scores, history.courses, treatments))
    assert any(sentence.startswith(f"PHQ-9: {len(scores.series('phq9'))} values from") for sentence in told)
    assert any(sentence.startswith("Esketamine nasal spray: 16 sessions") for sentence in told)


def test_an_empty_record_is_drawn_as_words(instruments: Instruments, treatments: Treatments) -> None:
    scores = read_scores(Record("p", {}), instruments, AS_OF)
    assert "No scored questionnaire is on the record." in draw_svg(scores, (), treatments)


def test_the_picture_is_valid_vega_lite(instruments: Instruments, treatments: Treatments) -> None:
    scores, history = read("partial-response-to-ketamine", instruments, treatments)
    spec = specification(picture(scores, history.courses, treatments))
    altair.Chart.from_dict(spec, validate=True)
    assert all(row for rows in spec["datasets"].values() for row in rows)
