"""One page for each kind of FHIR server, from its profile; and the CDS services on offer."""

from __future__ import annotations

from collections.abc import Iterator

from docs.generator.markdown import Page, bullets, code, docstring, fenced, page, prose, table
from docs.generator.models import descriptions
from docs.generator.rules import review_line
from docs.generator.sources import source_links
from mappings.schema.knowledge import Knowledge
from mappings.schema.service.servers import DEFAULT_HABITS, GENERIC, ServerHabits, ServerProfile

FOLDER, SERVICES = "connect", "reference/services.md"


def server_pages(knowledge: Knowledge) -> Iterator[Page]:
    """The profiles, the one of an unknown server first."""
    profiles = sorted(knowledge.servers.values(), key=lambda profile: (profile.id != GENERIC, profile.title))
    yield from (_profile(knowledge, profile) for profile in profiles)


def _profile(knowledge: Knowledge, item: ServerProfile) -> Page:
    here = f"{FOLDER}/{item.id}.md"
    remarks = (
        f"{prose(remark.says)} ({source_links(knowledge, (remark.source,), here)}, {remark.verification.value})"
        for remark in item.remarks
    )
    chosen = f'[[clients]]\n# ...\nprofile = "{item.id}"\n\n[[smart]]\n# ...\nprofile = "{item.id}"'
    tried = f"tandem check-server https://ehr.example/fhir --patient ID --profile {item.id}"
    blocks = (
        f"{code(item.id)} · {review_line(item, f'servers/{item.id}.yaml')}",
        "Nobody has run Tandem against this vendor's own sandbox yet: the profile rests on what is published."
        if item.id not in (GENERIC, "hapi")
        else "",
        f"## Choose it\n\nIn the settings file:\n\n{fenced(chosen, 'toml')}",
        f"Then try every query on one test patient, and read what came:\n\n{fenced(tried, 'sh')}",
        f"## What is different\n\n{bullets(remarks)}",
        f"## How it is queried\n\n{_habits(item.habits)}",
    )
    return page(here, prose(item.title), blocks)


def _habits(habits: ServerHabits) -> str:
    words = descriptions(ServerHabits)
    rows = (
        [
            code(name),
            _value(value),
            "" if value == getattr(DEFAULT_HABITS, name) else "set here",
            docstring(words[name]),
        ]
        for name, value in habits
    )
    return table(("habit", "value", "", "what it is"), rows)


def _value(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def services_page(knowledge: Knowledge) -> Page:
    """The CDS services, as the discovery describes them."""
    rows = (
        [code(item.hook), code(item.id), prose(item.title), prose(item.description)]
        for item in knowledge.services.services
    )
    blocks = (
        "`GET /cds-services` describes them with the prefetch templates of the installation.",
        table(("hook", "service", "title", "what it does"), rows),
        prose(knowledge.services.usage_requirements),
    )
    return page(SERVICES, "CDS services", blocks)
