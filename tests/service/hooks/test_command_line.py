"""The command line as it is used: one line for every error, and exit codes that can be relied on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands.command import tandem
from tests.support.hooks.calls import DAY, KETAMINE, ORDER_SIGN, PATIENT_VIEW, body, bundle_of, order


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["frob"], 2),
        (["assess", "--nope"], 2),
        (["assess"], 2),
        (["assess", "--bundle", "missing.json"], 3),
        (["trials", "--bundle", "missing.json"], 3),
        (["assess", "--fhir", "http://127.0.0.1:1/fhir"], 2),
        (["assess", "--fhir", "http://127.0.0.1:1/fhir", "--patient", "p"], 3),
        (["assess", "--bundle", "-", "--as-of", "yesterday"], 2),
        (["assess", "--bundle", "-", "--protocol", "none"], 2),
        (["serve", "--port", "x"], 2),
        (["serve", "--host", "0.0.0.0"], 2),  # noqa: S104 - what is refused
        (["serve", "--config", "missing.toml"], 2),
        (["trials", "--bundle", "-", "--policy", "none"], 2),
        (["score", "missing.json"], 3),
        (["dossier", "--bundle", "-"], 2),
        (["dossier", "--bundle", "-", "--for", "music"], 2),
        (["dossier", "--for", "tms"], 2),
        (["dossier", "--bundle", "-", "--for", "tms", "--payer", "cigna"], 2),
        (["dossier", "--bundle", "-", "--for", "tms", "--format", "pdf"], 2),
        (["dossier", "--bundle", "missing.json", "--for", "esketamine"], 3),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(words: list[str], code: int) -> None:
    done = tandem(*words, stdin=bundle_of("nearly-empty"))
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("tandem: ")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"resourceType":"Practitioner"}', b"\xff\xfe"])
def test_a_file_that_is_no_record_is_refused(content: bytes) -> None:
    done = tandem("assess", "--bundle", "-", stdin=content)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1


def test_every_command_refuses_such_a_file_alike() -> None:
    done = tandem("trials", "--bundle", "-", stdin=b"[]")
    assert (done.returncode, done.stderr) == (3, "tandem: -: this is not a FHIR Bundle in JSON\n")


def test_assess_prints_the_object_that_others_rely_on(tmp_path: Path) -> None:
    file = tmp_path / "patient.json"
    file.write_bytes(bundle_of("two-failures"))
    done = tandem("assess", "--bundle", str(file), "--as-of", DAY.isoformat(), "--format", "json")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert {"patient", "as_of", "verdict", "criteria", "trials", "scores", "unread"} <= set(content)
    assert content["patient"] == "two-failures"
    assert content["as_of"] == DAY.isoformat()
    assert content["verdict"] == "open"
    (told,) = [each for each in content["treatments"] if each["treatment"] == "ketamine"]
    assert told["headline"] == "Ketamine: criteria met; still to ask: substance use and pregnancy"
    assert set(told["reasons"]) == {"substance_use.active", "pregnancy.current"}
    for criterion in content["criteria"]:
        assert {"id", "role", "verdict", "because", "missing", "evidence", "sources"} <= set(criterion)
        assert criterion["verdict"] in {"met", "not_met", "unknown"}
    assert {"sertraline", "venlafaxine"} <= {trial["ingredient"] for trial in content["trials"]}


def test_the_table_says_first_what_decides() -> None:
    done = tandem("assess", "--bundle", "-", "--as-of", DAY.isoformat(), stdin=bundle_of("uncontrolled-hypertension"))
    lines = done.stdout.splitlines()
    assert lines[0].endswith("hold")
    assert lines[2] == "Ketamine: hold. BP 172/104 on 13 Jan; recheck before any dose"
    criteria = [line.split()[2] for line in lines[7:] if line]
    assert criteria[0] == "blood_pressure.hold"


def explained(url: str, patient: str, *drafts: dict[str, Any]) -> str:
    request = json.dumps(body(url, patient, *drafts)).encode()
    done = tandem("explain", "-", "--as-of", DAY.isoformat(), stdin=request)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_explain_says_why_a_card_was_shown() -> None:
    said = explained(ORDER_SIGN, "uncontrolled-hypertension", order(KETAMINE, "uncontrolled-hypertension"))
    assert "1 card(s)" in said
    assert "[critical] Ketamine: hold. BP 172/104 on 13 Jan; recheck before any dose" in said
    assert re.search(r"met +hold +blood_pressure.hold +Last blood pressure: 172/104", said)
    assert "Ketamine and TMS in the same session" in said


def test_explain_says_why_there_was_none() -> None:
    assert "nothing on the record calls for a card" in explained(PATIENT_VIEW, "doing-well")
    amoxicillin = order({"text": "Amoxicillin"}, "doing-well")
    assert "no draft order names" in explained(ORDER_SIGN, "doing-well", amoxicillin)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"hook":"order-sign"}', b'{"hook":"appointment-book"}'])
def test_explain_refuses_what_is_no_request_in_one_line(content: bytes) -> None:
    done = tandem("explain", "-", stdin=content)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
