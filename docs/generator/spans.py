"""The reference of spans and their attributes, for operators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from cds_hooks.telemetry.spans import ATTRIBUTES, CALL, QUERY, STEPS, Shape
from docs.generator.markdown import Page, code, codes, page, table

SPANS = "reference/spans.md"


def attribute_words(root: Path) -> Mapping[str, tuple[str, str]]:
    """What each attribute means, and where its value comes from."""
    words = yaml.safe_load((root / "docs/span-attributes.yaml").read_text(encoding="utf-8"))
    return {name: (says, comes_from) for name, (says, comes_from) in words.items()}


def spans_page(root: Path) -> Page:
    """The attributes that a span may hold."""
    words = attribute_words(root)
    rows = ([code(name), _shape(shape), *words.get(name, ("", ""))] for name, shape in ATTRIBUTES.items())
    introduction = (
        f"A call is a span {code(CALL)}; the steps below it are {codes(STEPS)}, and below the step that waits for them "
        f"the queries to a FHIR server, each {code(QUERY)}. An attribute that is not in this list is never sent, nor a "
        "value that does not fit, so that no span can hold anything of a record or of a request."
    )
    heads = ("attribute", "value", "what it says", "where it comes from")
    return page(SPANS, "Spans", (introduction, table(heads, rows)))


def _shape(shape: Shape) -> str:
    if isinstance(shape, re.Pattern):
        return f"text `{shape.pattern}`"
    return "number" if shape is int else "one of a closed set"
