"""Products from RRF files, on a few lines in that format written for this test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cds_hooks.cli.main import app
from fhir_plugin.facts.medications.products import identify
from fhir_plugin.record.datatypes import CodeableConcept, Coding
from mappings.schema.base.entries import KnowledgeError
from mappings.schema.medications import FOLDER, load_medications
from mappings.schema.medications.rxnorm import SOURCE, import_rxnorm
from tests.support.shipped import shipped

KNOWN = shipped().medications
CONCEPTS = (
    ("36437", "IN", "sertraline"),
    ("155137", "PIN", "sertraline hydrochloride"),
    ("900001", "SCDC", "sertraline 50 MG"),
    ("900002", "SCD", "sertraline 50 MG Oral Tablet"),
    ("900003", "SBD", "sertraline 50 MG Oral Tablet [Anybrand]"),
    ("900004", "BN", "Anybrand"),
    ("32937", "IN", "paroxetine"),
    ("900005", "SCDC", "paroxetine 12.5 MG"),
    ("900006", "SCD", "24 HR paroxetine 12.5 MG Extended Release Oral Tablet"),
    ("6809", "IN", "metformin"),
    ("900007", "SCDC", "metformin 500 MG"),
    ("900008", "SCD", "metformin 500 MG Oral Tablet"),
    ("900009", "GPCK", "{7 (sertraline 50 MG Oral Tablet) } Pack"),
)
RELATIONS = (
    ("155137", "36437", "form_of"),
    ("36437", "900001", "has_ingredient"),
    ("155137", "900001", "has_precise_ingredient"),
    ("900001", "900002", "consists_of"),
    ("900002", "900003", "tradename_of"),
    ("36437", "900004", "tradename_of"),
    ("32937", "900005", "has_ingredient"),
    ("900005", "900006", "consists_of"),
    ("6809", "900007", "has_ingredient"),
    ("900007", "900008", "consists_of"),
    ("900002", "900009", "contains"),
)


def conso(rxcui: str, tty: str, name: str, source: str = "RXNORM", suppress: str = "N") -> str:
    return f"{rxcui}|ENG||||||1|||{rxcui}|{source}|{tty}|{rxcui}|{name}||{suppress}|4096|\n"


@pytest.fixture
def download(tmp_path: Path) -> Path:
    folder = tmp_path / "rrf"
    folder.mkdir()
    lines = [conso(*concept) for concept in CONCEPTS]
    lines.append(conso("900010", "SCD", "sertraline 75 MG Oral Tablet", suppress="O"))
    lines.append(conso("900011", "SCD", "sertraline 33 MG Oral Tablet", source="OTHER"))
    (folder / "RXNCONSO.RRF").write_text("".join(lines))
    relations = "".join(f"{one}||CUI|RO|{two}||CUI|{rela}|1||RXNORM||||N||\n" for one, two, rela in RELATIONS)
    (folder / "RXNREL.RRF").write_text(relations)
    (folder / "RXNSAT.RRF").write_text("900001||||||||RXN_STRENGTH|RXNORM|50 MG|N||\n")
    return folder


def test_drugs_of_known_ingredients_with_their_strengths(download: Path) -> None:
    rows = {row["rxcui"]: row for row in import_rxnorm(download, KNOWN)}
    assert set(rows) == {"36437", "155137", "32937", "900002", "900003", "900004", "900006", "900009"}
    assert (rows["900003"]["ingredients"], rows["900003"]["strengths"], rows["900003"]["unit"]) == (
        "sertraline",
        "50",
        "MG",
    )
    assert rows["900006"]["formulation"] == "ER"
    assert rows["900009"]["strengths"] == ""
    assert rows["900004"]["tty"] == "BN"
    assert {row["source"] for row in rows.values()} == {SOURCE}


def test_import_extends_the_table_once(download: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(FOLDER, site, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    arguments = ["knowledge", "import-rxnorm", str(download), "--into", str(site)]
    assert "6 added" in CliRunner().invoke(app, arguments).output
    assert "0 added" in CliRunner().invoke(app, arguments).output
    coding = Coding(system="http://www.nlm.nih.gov/research/umls/rxnorm", code="900003")
    product = identify(CodeableConcept(coding=(coding,)), load_medications(site)).product
    assert product is not None
    assert product.parts[0] == ("sertraline", 50.0, "MG")
    assert len(load_medications(site).products) == len(KNOWN.products) + 6


def test_a_wrong_file_is_named(download: Path) -> None:
    (download / "RXNREL.RRF").write_text("1|2\n")
    with pytest.raises(KnowledgeError, match=r"RXNREL\.RRF: line 1"):
        import_rxnorm(download, KNOWN)
    (download / "RXNSAT.RRF").unlink()
    (download / "RXNREL.RRF").write_text("")
    with pytest.raises(KnowledgeError, match=r"RXNSAT\.RRF: cannot be read"):
        import_rxnorm(download, KNOWN)
