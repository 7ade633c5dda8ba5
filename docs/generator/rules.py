"""The reference of criteria, protocols and conflicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from docs.generator.markdown import Page, bullets, code, codes, docstring, fenced, link, page, prose, table
from docs.generator.models import member_description
from docs.generator.sources import source_links
from mappings.schema.base.entries import Number, Reviewed
from mappings.schema.knowledge import Knowledge
from mappings.schema.rules.criteria import Criterion
from mappings.schema.rules.protocols import Clause, Conflict, Pathway, Protocol, ProtocolParameter, Role

CRITERIA, PROTOCOLS, CONFLICTS = "reference/criteria", "reference/protocols", "reference/conflicts.md"


def criterion_path(name: str) -> str:
    """The page of a criterion."""
    return f"{CRITERIA}/{name}.md"


def criterion_links(knowledge: Knowledge, names: Iterable[str], here: str) -> str:
    """Criteria by their titles, each a link to its page."""
    return ", ".join(link(prose(knowledge.criteria[name].title), here, criterion_path(name)) for name in names)


def review_line(entry: Reviewed, file: str) -> str:
    """Where a knowledge file stands, and when it was and must be reviewed."""
    return f"`mappings/{file}`, reviewed on {entry.reviewed}, to be reviewed again by {entry.review_due}."


def number_rows(knowledge: Knowledge, numbers: Iterable[tuple[str, Number]], unit: str, here: str) -> list[list[str]]:
    """One row for each number of a rule, with its source."""
    return [
        [
            code(key),
            format(number),
            code(unit) if not key.endswith("_days") else "days",
            source_links(knowledge, (number.source,), here),
            number.verification.value,
            prose(number.note),
        ]
        for key, number in numbers
    ]


NUMBER_HEADERS = ("number", "value", "unit", "source", "checked", "note")


def rule_pages(knowledge: Knowledge, root: Path) -> Iterator[Page]:
    """Criteria, protocols and conflicts, each with an index."""
    yield _criteria_index(knowledge)
    yield from (_criterion(knowledge, criterion, root) for criterion in knowledge.criteria.values())
    yield _protocols_index(knowledge)
    yield from (_protocol(knowledge, protocol) for protocol in knowledge.protocols.values())
    yield _conflicts(knowledge)


def _criteria_index(knowledge: Knowledge) -> Page:
    here = f"{CRITERIA}/index.md"
    rows = (
        [link(prose(item.title), here, criterion_path(item.id)), prose(item.statement), code(item.id)]
        for item in knowledge.criteria.values()
    )
    introduction = (
        "A criterion is one statement about a patient. It comes out met, not met, or unknown with what was missing. "
        "What follows from it is said by the protocols, which give it a role for each treatment."
    )
    return page(here, "Criteria", (introduction, table(("criterion", "statement", "id"), rows)))


def _criterion(knowledge: Knowledge, item: Criterion, root: Path) -> Page:
    here = criterion_path(item.id)
    facts = (
        f"{code(name)}: {prose(fact.title)}, read from {codes(fact.inputs)}"
        for name, fact in ((name, knowledge.facts[name]) for name in item.facts)
    )
    blocks = (
        f"{prose(item.statement)}",
        f"{code(item.id)} · {review_line(item, f'criteria/{item.id}.yaml')}",
        f"## What it reads\n\n{bullets(facts)}",
        f"## How it compares\n\n{code(item.compare.value)}: {docstring(member_description(item.compare))}",
        table(NUMBER_HEADERS, number_rows(knowledge, item.numbers.items(), item.unit, here)),
        f"Sources: {source_links(knowledge, item.sources, here)}.",
        f"## When it is unknown\n\n{prose(item.ask.words)}",
        _roles(knowledge, item, here),
        _test_patients(root / "mappings/criteria" / f"{item.id}.cases.yaml"),
    )
    return page(here, prose(item.title), blocks)


def _roles(knowledge: Knowledge, item: Criterion, here: str) -> str:
    rows = (
        [link(code(protocol.id), here, f"{PROTOCOLS}/{protocol.id}.md"), *_clause_cells(knowledge, clause, here)]
        for protocol in knowledge.protocols.values()
        for clause in protocol.clauses
        if clause.criterion == item.id
    )
    headers = ("protocol", "role", "treatments", "why", "grade", "sources")
    body = table(headers, rows) or "No protocol gives it a role; pathways or payers use it."
    return f"## What follows from it\n\n{body}"


def _clause_cells(knowledge: Knowledge, clause: Clause, here: str) -> list[str]:
    sources = source_links(knowledge, clause.sources, here)
    return [code(clause.role.value), ", ".join(clause.treatments), prose(clause.why), clause.grade.value, sources]


def _test_patients(file: Path) -> str:
    if not file.is_file():
        return ""
    return f"## Test patients\n\n`{file.name}`:\n\n{fenced(file.read_text(encoding='utf-8'))}"


def _protocols_index(knowledge: Knowledge) -> Page:
    here = f"{PROTOCOLS}/index.md"
    rows = (
        [link(prose(item.title), here, f"{PROTOCOLS}/{item.id}.md"), code(item.id), prose(item.note)]
        for item in knowledge.protocols.values()
    )
    roles = ([code(role.value), docstring(member_description(role))] for role in Role)
    blocks = (
        (
            "A protocol says which criteria decide about which treatment, in which role and in which order. "
            f"{code(knowledge.services.protocol)} is applied unless a site chooses another one."
        ),
        table(("protocol", "id", "what it is"), rows),
        f"## Roles\n\n{table(('role', 'meaning'), roles)}",
    )
    return page(here, "Protocols", blocks)


def _protocol(knowledge: Knowledge, item: Protocol) -> Page:
    here = f"{PROTOCOLS}/{item.id}.md"
    parameters = ([code(key), *_parameter_cells(knowledge, value, here)] for key, value in item.parameters.items())
    blocks = (
        prose(item.note),
        f"{code(item.id)} · {review_line(item, f'protocols/{item.id}.yaml')}",
        f"Sources: {source_links(knowledge, item.sources, here)}.",
        f"Treatments: {codes(item.treatments)}. Where nothing was ordered, it speaks about {code(item.focus)}.",
        *(_role_section(knowledge, item, role, here) for role in Role),
        "## Pathways\n\nTried in this order; the first that fits is named." if item.pathways else "",
        *(_pathway(knowledge, name, pathway, here) for name, pathway in item.pathways.items()),
        "## Parameters\n\nHow the treatments are given.",
        table(("parameter", "value", "unit", "source", "checked", "note"), parameters),
        _resolutions(knowledge, item, here),
    )
    return page(here, prose(item.title), blocks)


def _role_section(knowledge: Knowledge, item: Protocol, role: Role, here: str) -> str:
    rows = (
        [criterion_links(knowledge, (clause.criterion,), here), *_clause_cells(knowledge, clause, here)[1:]]
        for clause in item.clauses
        if clause.role is role
    )
    body = table(("criterion", "treatments", "why", "grade", "sources"), rows)
    meaning = docstring(member_description(role))
    return f"## {role.value.capitalize()}\n\n{meaning}\n\n{body}" if body else ""


def _pathway(knowledge: Knowledge, name: str, item: Pathway, here: str) -> str:
    conditions = (("All of", item.all_of), ("One of", item.any_of), ("None of", item.none_of))
    steps = ([code(step.treatment), prose(step.timing), prose(step.why)] for step in item.steps)
    choice = "Proposed." if item.choice == "proposed" else "Never proposed: a choice of the clinician."
    blocks = (
        f"### {prose(item.title)} {{#{name}}}",
        prose(item.says),
        bullets(f"{words}: {criterion_links(knowledge, names, here)}" for words, names in conditions if names),
        table(("treatment", "when", "why"), steps),
        f"{choice} Grade: {item.grade.value}. Sources: {source_links(knowledge, item.sources, here)}.",
    )
    return "\n\n".join(block for block in blocks if block)


def _parameter_cells(knowledge: Knowledge, item: ProtocolParameter, here: str) -> list[str]:
    value = f"{item.low:g}" if item.high is None else f"{item.low:g} to {item.high:g}"
    return [value, item.unit, source_links(knowledge, (item.source,), here), item.verification.value, prose(item.note)]


def _resolutions(knowledge: Knowledge, item: Protocol, here: str) -> str:
    rows = (
        [link(prose(knowledge.conflicts[name].topic), here, f"{CONFLICTS}#{name}"), prose(words)]
        for name, words in item.resolutions.items()
    )
    body = table(("conflict", "under this protocol"), rows)
    return f"## Where it differs on a conflict\n\n{body}" if body else ""


def _conflicts(knowledge: Knowledge) -> Page:
    introduction = (
        "Where the sources disagree, and the safer way that is taken. A conflict is shown on a card where it matters "
        "to the decision at hand."
    )
    entries = (_conflict(knowledge, name, item) for name, item in knowledge.conflicts.items())
    return page(CONFLICTS, "Conflicts", (introduction, *entries), "Conflicts between the sources")


def _conflict(knowledge: Knowledge, name: str, item: Conflict) -> str:
    positions = ([source_links(knowledge, (key,), CONFLICTS), prose(words)] for key, words in item.positions.items())
    raised = criterion_links(knowledge, item.criteria, CONFLICTS)
    blocks = (
        f"## {prose(item.topic)} {{#{name}}}",
        table(("source", "position"), positions),
        f"**Resolution.** {prose(item.resolution)}",
        f"Raised by: {raised}." if raised else "",
    )
    return "\n\n".join(block for block in blocks if block)
