"""The reference of settings: every field of the models, in the order of the file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cds_hooks.settings.clients import Client
from cds_hooks.settings.issuers import Issuer
from cds_hooks.settings.settings import Settings
from docs.generator.markdown import Page, docstring, page
from docs.generator.models import default_words, descriptions, type_words

PATH = "reference/settings.md"
SECTIONS: tuple[tuple[type[BaseModel], str, str, str], ...] = (
    (
        Settings,
        "",
        "The service",
        (
            "At the top of the file. Each can also be given as an environment variable; a list or a table is then "
            "written as JSON. What stands in the file takes precedence over the environment, and an option of `tandem "
            "serve` over both."
        ),
    ),
    (
        Client,
        "clients",
        "Each client: `[[clients]]`",
        "One table for each EHR that may call. With at least one, every call needs a token that a client has signed.",
    ),
    (
        Issuer,
        "smart",
        "Each EHR of the SMART app: `[[smart]]`",
        "One table for each EHR from which the app may be launched.",
    ),
)
"""Model, name of its tables in the file, heading, introduction."""

_VARIABLES = """\
## Variables without a setting

| variable | what it does |
| --- | --- |
| `TANDEM_CONFIG` | The settings file of `tandem serve`, `check-config`, `database` and `feedback`, \
where the command line names none. |
| `TANDEM_TOKEN` | The access token of the commands that read from a FHIR server, where `--token` is not given. |
| `TANDEM_DATABASE_FILE`, `TANDEM_DATABASE_KEY_FILE`, `TANDEM_DATABASE_KEY_BEFORE_FILE`, \
`TANDEM_REDIS_FILE`, `TANDEM_CAPTURE_SECRET_FILE`, `PGPASSWORD_FILE` | \
In the container only: a file whose content is read into the variable without `_FILE`. |
| `STATE_DIRECTORY`, `XDG_STATE_HOME`, `HOME` | Where SQLite files lie unless `database` and `replay_store` say \
otherwise: in the first of them that is set; below `tandem` in the second, `.local/state/tandem` in the third. |
| `PGPASSWORD` and others that begin with `PG` | What the address in `database` leaves out. |
| `SSL_CERT_FILE`, `SSL_CERT_DIR` | The certificate authorities that FHIR servers and key sets are checked against, \
such as a hospital's own, in place of those of the system. |
| `DISPLAY`, `WAYLAND_DISPLAY` | Whether `tandem demo` opens a browser. |

A variable that is almost the name of a setting, such as `TANDEM_PROT`, is refused. Proxies that the environment names \
are not used."""


def settings_page() -> Page:
    """Every setting."""
    blocks = [
        (
            "Settings stand in a TOML file, which `tandem serve --config tandem.toml` reads. A key that is not known "
            "is refused, and so is a value that does not fit. `tandem check-config tandem.toml` says whether a file "
            "is right and prints what is set. `tandem.example.toml` in the repository is a file to start from."
        )
    ]
    for model, table, heading, introduction in SECTIONS:
        blocks += [f"## {heading}", introduction]
        blocks += [_entry(model, table, name, field) for name, field in model.model_fields.items()]
    return page(PATH, "Settings", (*blocks, _VARIABLES))


def setting_keys() -> Iterator[str]:
    """Every setting: ``port``, ``clients.issuer``."""
    for model, table, _, _ in SECTIONS:
        yield from (f"{table}.{name}" if table else name for name in model.model_fields)


def _entry(model: type[BaseModel], table: str, name: str, field: FieldInfo) -> str:
    anchor = f"{table}.{name}" if table else name
    facts = [type_words(field), default_words(field)]
    if not table:
        facts.append(f"environment `TANDEM_{name.upper()}`")
    return f"### `{name}` {{#{anchor}}}\n\n{' · '.join(facts)}\n\n{docstring(descriptions(model).get(name, ''))}"


def example_keys(root: Path) -> frozenset[str]:
    """The settings that ``tandem.example.toml`` shows, also those that are commented out."""
    text = (root / "tandem.example.toml").read_text(encoding="utf-8")
    parsed = tomllib.loads("\n".join(_uncommented(text)))
    keys = {key for key in parsed if key not in ("clients", "smart")}
    for table in ("clients", "smart"):
        keys |= {table, *(f"{table}.{key}" for entry in parsed[table] for key in entry)}
    return frozenset(keys)


def _uncommented(text: str) -> Iterator[str]:
    """The lines, with those that are settings behind ``#`` as settings."""
    for line in text.splitlines():
        shown = line.removeprefix("# ")
        yield shown if " = " in shown and shown.split(" = ")[0].isidentifier() else line
