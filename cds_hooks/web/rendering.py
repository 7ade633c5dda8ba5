"""The template environment: everything is escaped, and an undefined variable is an error."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from fhir_plugin.extras import DRAWING


def environment() -> Environment:
    """The templates that ship with the product; ``drawing`` tells them whether a picture can be drawn."""
    made = Environment(
        loader=PackageLoader("cds_hooks.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["drawing"] = DRAWING.installed
    return made
