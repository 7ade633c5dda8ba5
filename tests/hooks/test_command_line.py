"""The command line as it is used: one line for every error, and exit codes that can be relied on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hooks.calls import DAY, bundle_of


def tandem(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "cds_hooks.cli", *words], input=stdin, capture_output=True, check=False
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["frob"], 2),
        (["assess", "--nope"], 2),
        (["assess"], 2),
        (["assess", "--bundle", "missing.json"], 2),
        (["assess", "--fhir", "http://127.0.0.1:1/fhir"], 2),
        (["assess", "--fhir", "http://127.0.0.1:1/fhir", "--patient", "p"], 3),
        (["assess", "--bundle", "-", "--as-of", "yesterday"], 2),
        (["assess", "--bundle", "-", "--protocol", "none"], 2),
        (["serve", "--port", "x"], 2),
        (["serve", "--host", "0.0.0.0"], 2),  # noqa: S104 - what is refused
        (["serve", "--config", "missing.toml"], 2),
        (["trials", "--bundle", "-", "--policy", "none"], 2),
        (["score", "missing.json"], 3),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(words: list[str], code: int) -> None:
    done = tandem(*words, stdin=bundle_of("nearly-empty"))
    assert done.returncode == code, done.stderr
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("tandem: ")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"resourceType":"Practitioner"}', b"\xff\xfe"])
def test_a_file_that_is_no_record_is_refused(content: bytes) -> None:
    done = tandem("assess", "--bundle", "-", stdin=content)
    assert done.returncode in {2, 3}
    assert len(done.stderr.decode().splitlines()) == 1


def test_assess_prints_the_object_that_others_rely_on(tmp_path: Path) -> None:
    file = tmp_path / "patient.json"
    file.write_bytes(bundle_of("two-failures"))
    done = tandem("assess", "--bundle", str(file), "--as-of", DAY.isoformat(), "--format", "json")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert {"patient", "as_of", "verdict", "criteria", "trials", "scores", "unread"} <= set(content)
    assert content["patient"] == "two-failures"
    assert content["as_of"] == DAY.isoformat()
    assert content["verdict"] == "met"
    for criterion in content["criteria"]:
        assert {"id", "role", "verdict", "because", "missing", "evidence", "sources"} <= set(criterion)
        assert criterion["verdict"] in {"met", "not_met", "unknown"}
    assert {"sertraline", "venlafaxine"} <= {trial["ingredient"] for trial in content["trials"]}


def test_the_table_says_first_what_decides() -> None:
    done = tandem("assess", "--bundle", "-", "--as-of", DAY.isoformat(), stdin=bundle_of("uncontrolled-hypertension"))
    lines = done.stdout.decode().splitlines()
    assert lines[0].endswith("contraindicated")
    assert "blood_pressure.hold" in lines[2]
