"""A dossier as one self-contained HTML page for print: no script, no external address, everything escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from cds_hooks.dossier.sections import sections
from cds_hooks.web.rendering import environment
from fhir_plugin.courses.report import NO_NOTES, CourseNotes
from fhir_plugin.payers.dossier import Dossier
from mappings.schema.load import Knowledge

_STYLES = ("style.css", "dossier.css")


def dossier_html(dossier: Dossier, knowledge: Knowledge, course: CourseNotes = NO_NOTES) -> str:
    """The whole page; its ``dossier_body.html`` can also be included in another page."""
    return environment().get_template("dossier.html").render(page_values(dossier, knowledge, course), style=_style())


def page_values(dossier: Dossier, knowledge: Knowledge, course: CourseNotes = NO_NOTES) -> dict[str, Any]:
    """The variables of ``dossier_body.html``."""
    words = knowledge.dossier
    return {
        "sections": sections(dossier, knowledge, course),
        "title": words.title.format(treatment=words.treatments[dossier.treatment]),
        "lead": words.lead.format(day=dossier.as_of),
        "basis": words.basis.format(digest=dossier.knowledge[:12]),
        "disclaimer": words.disclaimer,
        "absent": words.none,
    }


def _style() -> Markup:
    folder = Path(__file__).parents[1] / "web" / "static"
    return Markup("\n".join((folder / name).read_text(encoding="utf-8") for name in _STYLES))  # noqa: S704 - our files
