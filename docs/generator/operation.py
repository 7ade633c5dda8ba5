"""The reference of metrics and of log fields, for operators."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from cds_hooks.operation import metrics
from cds_hooks.telemetry.logs import FIELDS
from docs.generator.markdown import Page, code, codes, page, table

METRICS, LOG = "reference/metrics.md", "reference/log.md"
_KINDS = {
    "Counter": "counter",
    "CounterMetricFamily": "counter",
    "Histogram": "histogram",
    "GaugeMetricFamily": "gauge",
    "_gauge": "gauge",
}


_REASONS = "The field `reason` holds one of these codes, where a number is the status of the answer."


@dataclass(frozen=True, slots=True)
class MetricEntry:
    """One metric, as the module of metrics declares it."""

    name: str
    """As Prometheus shows it: a counter ends in ``_total``."""
    kind: str
    help: str
    labels: tuple[str, ...]


def metric_entries() -> Iterator[MetricEntry]:
    """Every metric that the source of the module makes, in its order."""
    for node in ast.walk(ast.parse(inspect.getsource(metrics))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in _KINDS:
            continue
        words = [_literal(argument) for argument in node.args]
        if not words or not isinstance(words[0], str):
            continue  # the helper's own call, with its parameters
        kind = _KINDS[node.func.id]
        name = f"{words[0]}_total" if kind == "counter" else words[0]
        yield MetricEntry(name, kind, str(words[1]), _labels(node, words))


def _literal(node: ast.expr) -> object:
    return ast.literal_eval(node) if isinstance(node, ast.Constant | ast.Tuple) else None


def _labels(node: ast.Call, words: list[object]) -> tuple[str, ...]:
    named = next((_literal(keyword.value) for keyword in node.keywords if keyword.arg == "labels"), None)
    labels = named or next((word for word in words if isinstance(word, tuple)), ())
    return tuple(map(str, labels)) if isinstance(labels, tuple) else ()


def metrics_page() -> Page:
    """The metrics of ``/metrics``."""
    rows = ([code(item.name), item.kind, codes(item.labels), item.help] for item in metric_entries())
    introduction = (
        "`GET /metrics` answers in the text format of Prometheus. Every label comes from a closed set (services, "
        "rules, criteria, verdicts, status codes), so that no metric can hold anything about a patient."
    )
    process = (
        "Those that begin with `process_` are of the process itself, as Prometheus collects them everywhere on "
        "Linux: processor time, memory, open files and their limit, the moment of the start."
    )
    return page(METRICS, "Metrics", (introduction, table(("metric", "kind", "labels", "what it says"), rows), process))


def field_words(root: Path) -> Mapping[str, str]:
    """What each field of the log means."""
    return _log_documents(root)[0]


def reason_words(root: Path) -> Mapping[str, str]:
    """What each code in the field ``reason`` means."""
    return _log_documents(root)[1]


def _log_documents(root: Path) -> list[Mapping[str, str]]:
    return list(yaml.safe_load_all((root / "docs/log-fields.yaml").read_text(encoding="utf-8")))


def log_page(root: Path) -> Page:
    """The fields that a line of the log may hold."""
    words = field_words(root)
    rows = ([code(name), _shape(shape), words.get(name, "")] for name, shape in FIELDS.items())
    introduction = (
        "One JSON object a line on stderr. Each has `event`, `level` and `timestamp`, and of the fields below those "
        "that apply. A field that is not in this list is never written, nor a value that does not match its pattern, "
        "so that no line can hold a name, a token, a body or the text of an exception."
    )
    reasons = table(("reason", "what it means"), ([code(name), said] for name, said in reason_words(root).items()))
    fields = table(("field", "value", "what it says"), rows)
    return page(LOG, "Log fields", (introduction, fields, "## Reasons {#reasons}", _REASONS, reasons))


def _shape(shape: object) -> str:
    if isinstance(shape, re.Pattern):
        return f"text `{shape.pattern}`"
    return "counts by code" if shape is dict else "number"
