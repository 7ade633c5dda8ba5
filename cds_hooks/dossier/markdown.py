"""A dossier as Markdown, with text of the record in code spans. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cds_hooks.dossier.sections import Cell, Section, sections
from cds_hooks.protocol.markdown import quote, table
from fhir_plugin.courses.report import NO_NOTES, CourseNotes
from fhir_plugin.payers.dossier import Dossier
from mappings.schema.load import Knowledge


def dossier_markdown(dossier: Dossier, knowledge: Knowledge, course: CourseNotes = NO_NOTES) -> str:
    """The whole dossier; ``course`` are the sentences about the scales."""
    words = knowledge.dossier
    parts = [
        f"# {words.title.format(treatment=words.treatments[dossier.treatment])}",
        words.lead.format(day=dossier.as_of),
    ]
    parts += [part for section in sections(dossier, knowledge, course) for part in _section(section, words.none)]
    parts += [words.basis.format(digest=dossier.knowledge[:12]), words.disclaimer]
    return "\n\n".join(parts) + "\n"


def _section(section: Section, none: str) -> Iterator[str]:
    yield f"## {section.title}"
    yield from (part for part in (*section.notes, section.lead) if part)
    if not section.rows:
        yield section.empty or none
    elif section.key == "gaps":
        yield "\n".join(f"* {_cell(cell, none)}" for row in section.rows for cell in row)
    else:
        yield table(section.header, [tuple(_cell(cell, none) for cell in row) for row in section.rows])


def _cell(cell: Cell, none: str) -> str:
    texts = [quote(piece.text) if piece.kind in ("record", "reference") else piece.text for piece in cell]
    return " ".join(part for part in texts if part) or none
