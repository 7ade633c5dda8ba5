"""The reference of payers' policies and of treatments."""

from __future__ import annotations

from collections.abc import Iterator

from docs.generator.markdown import Page, bullets, code, codes, link, page, prose, table
from docs.generator.rules import NUMBER_HEADERS, criterion_path, number_rows, review_line
from docs.generator.sources import source_links
from mappings.schema.knowledge import Knowledge
from mappings.schema.payers.model import CriterionItem, Item, PayerPolicy, PresenceItem, TrialsItem
from mappings.schema.treatments.model import Treatment

FOLDER, TREATMENTS = "reference/payers", "reference/treatments.md"
_BEYOND = "Not answered from the record."
_CHECKS = {
    "score": "A recent score on one of the scales is needed.",
    "beyond": _BEYOND,
}


def payer_pages(knowledge: Knowledge) -> Iterator[Page]:
    """An index, and one page for each policy."""
    here = f"{FOLDER}/index.md"
    policies = knowledge.payers.policies.values()
    rows = (
        [
            link(prose(item.title), here, f"{FOLDER}/{item.id}.md"),
            code(item.treatment),
            str(item.effective or ""),
            item.verification.value,
        ]
        for item in policies
    )
    introduction = (
        "A payer's policy is a dated checklist. It is matched to the patient's Coverage and informs; it decides "
        "nothing. A policy that does not match any payer is the generic checklist of its treatment."
    )
    yield page(here, "Payers", (introduction, table(("policy", "treatment", "effective", "checked"), rows)))
    yield from (_policy(knowledge, item) for item in policies)


def _policy(knowledge: Knowledge, item: PayerPolicy) -> Page:
    here = f"{FOLDER}/{item.id}.md"
    rows = ([prose(entry.title), _check(knowledge, entry, here), prose(entry.settle)] for entry in item.items)
    numbers = table(NUMBER_HEADERS, number_rows(knowledge, item.numbers.items(), "", here))
    blocks = (
        f"{code(item.id)} · {review_line(item, f'payers/{item.id}.yaml')}",
        (
            f"Source: {source_links(knowledge, (item.source,), here)} (checked: {item.verification.value}). "
            f"Effective: {item.effective or 'the day was not seen'}."
        ),
        prose(item.note),
        f"## Which coverage it applies to\n\n{_matching(item)}",
        f"## Checklist\n\n{table(('what the policy asks for', 'how it is answered', 'what settles it'), rows)}",
        f"## Numbers\n\n{numbers}" if numbers else "",
    )
    return page(here, prose(item.title), blocks)


def _matching(item: PayerPolicy) -> str:
    if item.matching is None:
        return "Any whose payer has no policy of its own here."
    match = item.matching
    return bullets(
        (
            *(f"The payer's name holds {codes(names)} ({how.value})." for how, names in match.names.items() if names),
            f"Identifier: {codes(match.identifiers)}." if match.identifiers else "",
            f"The plan holds one of {codes(match.plans)}; it then takes precedence." if match.plans else "",
            f"Not where {codes(match.unless)} stands in payer or plan." if match.unless else "",
        )
    )


def _check(knowledge: Knowledge, item: Item, here: str) -> str:
    if isinstance(item, CriterionItem):
        title = prose(knowledge.criteria[item.criterion].title)
        return f"{link(title, here, criterion_path(item.criterion))} is {item.expect.replace('_', ' ')}"
    if isinstance(item, PresenceItem):
        return f"{code(item.fact)} is on the record"
    if isinstance(item, TrialsItem):
        what = "classes of antidepressants" if item.count == "classes" else "antidepressant trials"
        return f"{item.at_least} or more failed {what}"
    return _CHECKS[item.check]


def treatments_page(knowledge: Knowledge) -> Page:
    """How each treatment is recognised on a record, and what makes a course."""
    introduction = "How a treatment is recognised in orders, procedures and text, and when its sessions form a course."
    entries = (_treatment(item) for item in knowledge.treatments.by_id.values())
    return page(TREATMENTS, "Treatments", (introduction, *entries))


def _treatment(item: Treatment) -> str:
    systems = ([code(system), codes(values)] for system, values in (*item.codes.items(), *item.prefixes.items()))
    course = item.course
    thresholds = (
        ("a longer pause starts a new course (days)", course.gap_days),
        ("sessions of a completed course", course.completed_at),
        ("sessions after which it is over", course.ends_at),
    )
    rows = (
        [words, str(limit.value), prose(limit.source), limit.verification.value] for words, limit in thresholds if limit
    )
    blocks = (
        f"## {prose(item.title)} {{#{item.id}}}",
        f"{code(item.id)} · {review_line(item, f'treatments/{item.id}.yaml')}",
        f"Given as a {item.given_as}; {'a controlled drug' if item.controlled else 'no controlled drug'}.",
        f"{table(('system', 'codes, or how they begin'), systems)}\n\nSource of the codes: {prose(item.codes_source)}",
        table(("course", "number", "source", "checked"), rows),
        bullets(prose(words) for words in item.disputes),
    )
    return "\n\n".join(block for block in blocks if block)
