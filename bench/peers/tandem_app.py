"""Tandem itself, the whole line running; the day is fixed so that every round gives the same answer."""

from __future__ import annotations

from bench.requests import AS_OF
from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from mappings.schema.load import load_knowledge

app = create_app(Settings(), load_knowledge(), today=lambda: AS_OF)
