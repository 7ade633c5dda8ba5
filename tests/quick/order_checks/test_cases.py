"""Every case of every check, and that each check has the cases that show where it turns."""

import json
from pathlib import Path
from typing import Any

import pytest

from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge
from tests.support.order_checks.orders import checked, read_order_cases, result_of
from tests.support.shipped import shipped

FOLDER = KNOWLEDGE / "order_checks"


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return shipped()


def _cases() -> list[Any]:
    return [
        pytest.param(path.name.removesuffix(".cases.yaml"), case, id=f"{path.name.split('.')[0]}-{number}")
        for path in sorted(FOLDER.glob("*.cases.yaml"))
        for number, case in enumerate(read_order_cases(path), start=1)
    ]


@pytest.mark.parametrize(("check", "case"), _cases())
def test_the_check_says_what_the_case_expects(check: str, case: dict[str, Any], knowledge: Knowledge) -> None:
    (definition,) = [each for each in knowledge.order_checks.checks if each.id == check]
    case = {"treatment": definition.treatments[0]} | case
    result = result_of(case, check, knowledge)
    if case["verdict"] == "silent":
        assert result is None
        return
    assert result is not None
    said = " / ".join((result.drafted, result.expected, result.why))
    assert result.verdict == case["verdict"], said
    assert str(case.get("because", "")) in said
    assert result.gross == case.get("far_out", False)
    assert result.critical == case.get("critical", False)
    if case.get("corrected") == "none":
        assert result.correction is None
    elif "corrected" in case:
        assert result.correction is not None
        assert result.correction.value == case["corrected"]
        assert json.loads(bytes(result.correction.resource))["id"] == "draft-1"


def test_every_check_has_the_cases_that_show_where_it_turns(knowledge: Knowledge) -> None:
    for check in knowledge.order_checks.checks:
        verdicts = [str(case["verdict"]) for case in read_order_cases(FOLDER / f"{check.id}.cases.yaml")]
        needed = {"compare": ["ok", "deviates", "deviates", "unknown"], "contraindicated": ["deviates", "silent"],
                  "criterion": ["ok", "unknown"], "words": ["deviates", "deviates", "silent"], "remark": ["ok"],
                  "schedule": ["ok", "silent"]}  # fmt: skip
        for verdict in needed.get(check.kind, ["ok", "deviates", "unknown"]):
            assert verdicts.count(verdict) >= needed.get(check.kind, []).count(verdict), (check.id, verdict)
            assert verdict in verdicts, (check.id, verdict)


def test_what_is_unknown_never_alarms_and_never_corrects(knowledge: Knowledge) -> None:
    for path in FOLDER.glob("*.cases.yaml"):
        for case in read_order_cases(path):
            if case["verdict"] == "unknown" and "treatment" not in case:
                name = path.name.split("_", maxsplit=1)[0]
                for result in checked({"treatment": name} | case, knowledge).checks:
                    assert not (result.verdict == "unknown" and (result.gross or result.correction))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("[!_]*.yaml")), ids=lambda path: Path(path).name)
def test_every_file_belongs_to_a_check(path: Path, knowledge: Knowledge) -> None:
    assert path.name.split(".")[0] in {check.id for check in knowledge.order_checks.checks}
