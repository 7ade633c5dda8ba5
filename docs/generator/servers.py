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
        "It rests on what is published; a run against a sandbox of the vendor is still to be made."
        if item.id != GENERIC
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
        [code(name), _value(value, value != getattr(DEFAULT_HABITS, name)), docstring(words[name])]
        for name, value in habits
    )
    return f"{table(('habit', 'value', 'what it is'), rows)}\n\nBold: set for this kind of server."


def _value(value: object, own: bool) -> str:  # noqa: FBT001 - whether the value is the profile's own
    words = ", ".join(sorted(value)) or "none" if isinstance(value, frozenset) else str(value)
    return f"**{words}**" if own else words


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
