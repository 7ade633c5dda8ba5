"""A dossier from a real FHIR server is the one that the file of the same record gives."""

import re
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cds_hooks.cli.main import app
from cds_hooks.demo.stories import DemoPatient
from tests.support.demo.fixtures import ANCHOR

LOOKED_IN = re.compile(r"\((?:\w+ \(\d+\)(?:, )?)+\)")
"""A file holds observations that a server is not asked for, so that the counts differ."""

pytestmark = pytest.mark.server


def statements(dossier: str) -> list[str]:
    """The lines of a dossier, without what depends on how much was looked at."""
    return [LOOKED_IN.sub("", line) for line in dossier.splitlines() if "about another patient" not in line]


@pytest.mark.parametrize(
    ("name", "treatment"), [("two-failures", "tms"), ("partial-response-to-ketamine", "esketamine")]
)
def test_the_dossier_does_not_depend_on_where_the_record_was_read(
    name: str, treatment: str, fhir: str, patients: dict[str, DemoPatient], tmp_path: Path
) -> None:
    file = tmp_path / "record.json"
    file.write_bytes(patients[name].bundle)
    asked = ["dossier", "--for", treatment, "--as-of", date.isoformat(ANCHOR)]
    from_server = CliRunner().invoke(app, [*asked, "--fhir", fhir, "--patient", name, "--deadline", "60"])
    from_file = CliRunner().invoke(app, [*asked, "--bundle", str(file)])
    assert from_server.exit_code == 0, from_server.output
    assert statements(from_server.output) == statements(from_file.output)
    assert "Not read" not in from_server.output
