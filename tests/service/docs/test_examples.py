"""The examples of the documentation are right."""

from __future__ import annotations

import tomllib

from cds_hooks.settings.settings import Settings
from docs.generator.site import ROOT
from mappings.schema.load import load_knowledge
from mappings.schema.rules.protocols import Role
from tests.support.shipped import shipped


def test_the_file_of_a_site_loads_and_changes_what_it_says() -> None:
    knowledge = load_knowledge(site=ROOT / "docs/examples/site.yaml")
    assert knowledge.criteria["blood_pressure.hold"].local
    assert knowledge.digest != shipped().digest
    roles = {
        clause.role
        for clause in knowledge.protocols["safer_reading"].clauses
        if clause.criterion == "drug.benzodiazepine"
    }
    assert roles == {Role.CONTRAINDICATION}


def test_the_settings_on_the_page_about_connecting_are_valid() -> None:
    text = (ROOT / "docs/connect/index.md").read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in text.split("```toml\n")[1:]]
    settings = Settings(**tomllib.loads("\n".join(blocks)))
    assert [client.name for client in settings.clients] == [issuer.name for issuer in settings.smart]
