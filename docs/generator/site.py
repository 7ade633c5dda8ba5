"""All pages of the site, and where the generator of sites finds them."""

from __future__ import annotations

import shutil
from pathlib import Path

from docs.generator.commands import commands_page
from docs.generator.instruments import instrument_pages
from docs.generator.markdown import Page
from docs.generator.navigation import navigation
from docs.generator.operation import log_page, metrics_page
from docs.generator.payers import payer_pages, treatments_page
from docs.generator.rules import rule_pages
from docs.generator.servers import server_pages, services_page
from docs.generator.settings import settings_page
from docs.generator.sources import sources_page
from docs.generator.spans import spans_page
from docs.generator.written import pictures, written_pages
from mappings.schema.knowledge import Knowledge

ROOT = Path(__file__).parents[2]
_NAVIGATION = "nav = []\n"


def reference_pages(knowledge: Knowledge, root: Path = ROOT) -> tuple[Page, ...]:
    """The pages that are generated from the data and the models."""
    return (
        settings_page(),
        commands_page(),
        services_page(knowledge),
        metrics_page(),
        log_page(root),
        spans_page(root),
        *rule_pages(knowledge, root),
        *instrument_pages(knowledge),
        *payer_pages(knowledge),
        treatments_page(knowledge),
        sources_page(knowledge),
        *server_pages(knowledge),
    )


def all_pages(knowledge: Knowledge, root: Path = ROOT) -> tuple[Page, ...]:
    """The written pages and the reference."""
    reference = reference_pages(knowledge, root)
    return (*written_pages(root, (entry.path for entry in reference)), *reference)


def write_site(knowledge: Knowledge, folder: Path, root: Path = ROOT) -> None:
    """Write the pages and the configuration, from which ``zensical build`` makes ``folder/site``."""
    pages = all_pages(knowledge, root)
    target = folder / "pages"
    shutil.rmtree(target, ignore_errors=True)
    for entry in pages:
        file = target / entry.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(entry.text, encoding="utf-8")
    for picture, place in pictures(root):
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, target / place)
    base = (root / "docs/site.toml").read_text(encoding="utf-8")
    (folder / "zensical.toml").write_text(base.replace(_NAVIGATION, f"nav = {navigation(pages)}\n"), encoding="utf-8")
