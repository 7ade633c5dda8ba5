"""What a site copies from `deploy` names what is there: metrics, pages of the runbook, values of the chart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from docs.generator.operation import metric_entries
from docs.generator.site import ROOT

DEPLOY = ROOT / "deploy"
RUNBOOK = "https://docs.example/operations/bad-day/#"
METRIC = re.compile(r"\b(?:tandem|process)_\w+")
LABELS = re.compile(r"((?:tandem|process)_\w+)\{([^{}]*)\}")
ANYWHERE = {"job", "instance", "le", "worker"}
"""Labels that Prometheus adds, that of a bucket, and that of several workers."""
OF_THE_PROCESS = {
    f"process_{name}": ()
    for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds")
}
"""What the collector of the process has, as docs/reference says of it in one sentence."""


@cache
def alerts() -> tuple[dict[str, Any], ...]:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return tuple(rule for group in groups for rule in group["rules"])


def dashboard_queries() -> Iterator[str]:
    board = json.loads((DEPLOY / "dashboard.json").read_text(encoding="utf-8"))
    yield from (target["expr"] for panel in board["panels"] for target in panel.get("targets", ()))
    yield from (item["query"]["query"] for item in board["templating"]["list"] if item["type"] == "query")


EXPRESSIONS = [*(rule["expr"] for rule in alerts()), *dashboard_queries()]


def metrics() -> dict[str, tuple[str, ...]]:
    """The labels of every series of the service, by its name."""
    series: dict[str, tuple[str, ...]] = dict(OF_THE_PROCESS)
    for entry in metric_entries():
        parts = ("_bucket", "_sum", "_count") if entry.kind == "histogram" else ("",)
        series |= {f"{entry.name}{part}": entry.labels for part in parts}
    return series


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_of_alerts_and_dashboard_is_one_of_the_service(expression: str) -> None:
    known = metrics()
    assert set(METRIC.findall(expression)) <= known.keys()
    for name, matchers in LABELS.findall(expression):
        used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert used <= {*known[name], *ANYWHERE}, name


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_has_a_section_in_the_runbook_and_is_tested(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOK}{name.lower()}"
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert f"\n## {name}\n" in (ROOT / "docs/operations/bad-day.md").read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", (DEPLOY / "alerts.test.yml").read_text(encoding="utf-8"))


def test_the_runbook_has_no_section_for_an_alert_that_is_gone() -> None:
    text = (ROOT / "docs/operations/bad-day.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (Tandem\w+)$", text, re.MULTILINE)) == {rule["alert"] for rule in alerts()}


def test_the_chart_uses_every_value_and_only_those_that_it_explains() -> None:
    chart = DEPLOY / "chart"
    templates = "\n".join(file.read_text(encoding="utf-8") for file in sorted((chart / "templates").iterdir()))
    used = set(re.findall(r"\.Values\.(\w+(?:\.\w+)*)", templates))
    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    assert {name.partition(".")[0] for name in used} == values.keys()
    for name in used:
        assert _is_there(values, name.split(".")), name


def _is_there(values: Any, path: list[str]) -> bool:
    for part in path:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True
