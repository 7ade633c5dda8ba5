"""Reads settings with everything that is wrong in them: what is right is kept, so that it can be checked further."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings

from cds_hooks.settings.mistakes import Mistake, similar
from cds_hooks.settings.toml_lines import KeyPath, TomlLines

M = TypeVar("M", bound=BaseSettings)
Conflict: TypeAlias = tuple[str, str]
"""A key, and why it does not go with the others."""

OTHER_VARIABLES = (
    "CONFIG", "TOKEN", "DATABASE_FILE", "DATABASE_KEY_FILE", "DATABASE_KEY_BEFORE_FILE", "REDIS_FILE",
    "CAPTURE_SECRET_FILE",
)  # fmt: skip
"""Variables behind the prefix that are no settings of the file."""
_OPTIONS = {"fhir_servers": "--fhir-server"}
"""Options of ``tandem serve`` that are not named just as their setting."""
_OWNERS = {"clients": "client", "smart": "issuer"}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_SHOULD = re.compile(r"^(Input|String|Value) should")
_STAND_IN = "mistaken-"
_SECRETS = ("_key", "_secret")
_PREFIX, _ENVIRONMENT = "TANDEM_", "environment"
_MISSPELT = 0.9
"""How alike a variable and a setting have to be; an orchestrator has variables of its own behind the same prefix."""


class SettingsConflict(ValueError):
    """Settings each of which is right, and that do not go together."""

    def __init__(self, settings: Any, found: Sequence[Conflict]) -> None:
        super().__init__("; ".join(f"{key}: {words}" for key, words in found))
        self.settings, self.found = settings, found


@dataclass(frozen=True, slots=True)
class Origins:
    """Where each setting was given."""

    file: str | None
    """Its name."""
    content: Mapping[str, Any]
    lines: TomlLines
    options: Mapping[str, Any]

    def mistake(self, path: KeyPath, wrong: str, meant: str | None = None) -> Mistake:
        """A mistake at a key, such as ``("clients", 0, "issuer")``; a client or an issuer may also be named."""
        top = str(path[0]) if path else ""
        if top in self.options:
            return Mistake(file="option", key=_OPTIONS.get(top, f"--{top.replace('_', '-')}"), wrong=wrong, meant=meant)
        variable = f"{_PREFIX}{top.upper()}"
        if top and top not in self.content and variable in os.environ:
            wrong += ", written as JSON in the environment" if wrong.endswith("a list") else ""
            return Mistake(file=_ENVIRONMENT, key=variable, wrong=wrong, meant=meant)
        owner: dict[str, str] = {}
        key = path
        if top in _OWNERS and len(path) > 1:
            number = self._number(top, path[1])
            owner = {_OWNERS[top]: self._name(top, number)}
            path, key = (top, number, *path[2:]), path[2:]
        shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")
        line = self.lines.of(path)
        return Mistake(file=self.file or "settings", line=line, key=shown, wrong=wrong, meant=meant, **owner)

    def of_key(self, key: str, wrong: str, meant: str | None = None) -> Mistake:
        """A mistake at a key as messages write it: ``clients.general.fhir_servers.0``."""
        first, *rest = key.split(".")
        named = rest[:1] if first in _OWNERS else []  # a name may be a number
        items = (int(part) if part.isdigit() else part for part in rest[len(named) :])
        return self.mistake((first, *named, *items), wrong, meant)

    def _number(self, table: str, entry: str | int) -> int:
        if isinstance(entry, int):
            return entry
        names = [each.get("name") for each in self.content.get(table, ()) if isinstance(each, dict)]
        if entry in names:
            return names.index(entry)
        return int(entry) - 1 if entry.isdigit() else 0

    def _name(self, table: str, number: int) -> str:
        entries = self.content.get(table)
        entry = entries[number] if isinstance(entries, list) and number < len(entries) else {}
        name = entry.get("name") if isinstance(entry, dict) else None
        return name if isinstance(name, str) and _NAME.fullmatch(name) else str(number + 1)


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """Settings, and what is wrong with them."""

    settings: M | None
    """With a default, or something harmless (:func:`is_stand_in`), in place of what is wrong; ``None`` where the
    file cannot be read at all."""
    mistakes: tuple[Mistake, ...]
    origins: Origins
    spoilt: frozenset[str] = frozenset()
    """The keys at the top of the file that have a mistake in or below them."""


def read(model: type[M], path: Path | None, options: Mapping[str, Any]) -> Reading[M]:
    """The settings of a file (if given), the environment and options: an option wins, then the file."""
    file, text = path.name or str(path) if path else None, ""
    try:
        text = path.read_text(encoding="utf-8-sig") if path else ""
        content = tomllib.loads(text)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        return Reading(None, (_unread(str(file), text, fault),), Origins(file, {}, TomlLines(""), options))
    origins = Origins(file, content, TomlLines(text), options)
    settings, errors = _validated(model, {**content, **options})
    mistakes = [*_misspelt_variables(model), *(_mistake(model, origins, each) for each in errors)]
    in_order = tuple(sorted(mistakes, key=lambda mistake: mistake.line or 0))
    return Reading(settings, in_order, origins, frozenset(str(each["loc"][0]) for each in errors))


def _unread(file: str, text: str, fault: Exception) -> Mistake:
    if isinstance(fault, OSError):
        return Mistake(file=file, key="", wrong=f"cannot be read: {fault.strerror}")
    if isinstance(fault, UnicodeDecodeError):
        return Mistake(file=file, key="", wrong="not TOML: it is not written in UTF-8")
    at = _LINE.search(str(fault))
    line = int(at[1]) if at else max(1, len(text.splitlines()))  # "at end of document"
    return Mistake(file=file, line=line, key="", wrong=f"not TOML: {str(fault).partition(' (at ')[0]}")


def _validated(model: type[M], given: Mapping[str, Any]) -> tuple[M, list[Any]]:
    """The settings without what is wrong, and the errors."""
    try:
        return model(**given), []
    except ValidationError as fault:
        errors: list[Any] = list(fault.errors(include_url=False))
    conflicts = [
        each["ctx"]["error"] for each in errors if isinstance(each.get("ctx", {}).get("error"), SettingsConflict)
    ]
    if conflicts:
        found = [
            # An entry whose name is wrong is named by its number.
            {
                "loc": tuple(key.replace(_STAND_IN, "").split(".")),
                "type": "conflict",
                "msg": words.replace(_STAND_IN, ""),
            }
            for key, words in conflicts[0].found
        ]
        return conflicts[0].settings, found
    wrong = [each["loc"] for each in errors]
    settings, more = _validated(model, _mended(model, given, wrong))
    return settings, errors + [each for each in more if each["loc"] not in wrong]


def _mended(model: type[BaseSettings], given: Mapping[str, Any], wrong: Sequence[KeyPath]) -> dict[str, Any]:
    """What was given, with a default or something harmless in place of what is wrong: the rest can be checked."""
    kept = dict(given)
    for top in {str(path[0]) for path in wrong}:
        within = [path[1:] for path in wrong if path[0] == top]
        entries = given.get(top)
        if top in _OWNERS and isinstance(entries, list) and all(within):
            mended = (_mended_entry(number, each, within) for number, each in enumerate(entries))
            kept[top] = [entry for entry in mended if entry is not None]
        elif top in model.model_fields:
            kept[top] = model.model_fields[top].get_default()  # the environment may have the wrong value
        else:
            del kept[top]
    return kept


def _mended_entry(number: int, entry: Any, wrong: Sequence[KeyPath]) -> Any:
    """One client or issuer; ``None`` where it is wrong as a whole."""
    keys = [path[1:] for path in wrong if path[0] == number]
    if not all(keys) or not isinstance(entry, dict):
        return None
    address = f"https://{_STAND_IN}{number + 1}.invalid"
    stand_ins = {
        "name": f"{_STAND_IN}{number + 1}", "title": _STAND_IN, "client_id": _STAND_IN, "mode": "off",
        "issuer": address, "key_set": address, "audience_base": address,
    }  # fmt: skip
    wrong_keys = [str(path[0]) for path in keys]
    return {key: value for key, value in entry.items() if key not in wrong_keys} | {
        key: stand_ins[key] for key in wrong_keys if key in stand_ins
    }


def is_stand_in(text: str) -> bool:
    """Whether a name or an address takes the place of one that is wrong."""
    return text.removeprefix("https://").startswith(_STAND_IN)


def _mistake(model: type[BaseSettings], origins: Origins, error: Mapping[str, Any]) -> Mistake:
    path: KeyPath = error["loc"]
    match error["type"]:
        case "missing":
            return origins.mistake(path, "is required")
        case "extra_forbidden":
            return origins.mistake(path, *_unknown(model, path))
        case "literal_error":
            given = error["input"] if isinstance(error["input"], str) else ""
            permitted = re.findall(r"'([^']*)'", error["ctx"]["expected"])
            return origins.mistake(path, f"must be {error['ctx']['expected']}", similar(given, permitted))
        case "too_short":
            unit = "characters" if str(path[-1]).endswith(_SECRETS) else "entries"
            return origins.mistake(path, f"must have at least {error['ctx']['min_length']} {unit}")
        case "tuple_type" if path[0] in _OWNERS and isinstance(error["input"], Mapping):
            return origins.mistake(path, f"must be a list of tables: write [[{path[0]}]], in double brackets")
        case _:
            words = error["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
            return origins.mistake(path, _SHOULD.sub("must", words, count=1))


def _unknown(model: type[BaseSettings], path: KeyPath) -> tuple[str, str | None]:
    """What is wrong with a key that is no setting, and which was meant."""
    name, tables = str(path[-1]), {table: _fields(model, table) for table in _OWNERS}
    top = len(path) == 1
    if top:
        for table, fields in tables.items():
            if name in fields:
                return f"is no setting here: it belongs in a [[{table}]] table", None
    elif name in model.model_fields:
        return "is no setting here: it belongs above the first [[...]] table", None
    return "is no setting", similar(name, model.model_fields if top else tables.get(str(path[0]), ()))


def _fields(model: type[BaseSettings], table: str) -> Iterable[str]:
    entry: type[BaseModel] = get_args(model.model_fields[table].annotation)[0]
    return entry.model_fields


def _misspelt_variables(model: type[BaseSettings]) -> Iterator[Mistake]:
    """Variables that look like a setting and are none: they would silently have no effect."""
    known = [f"{_PREFIX}{name}".upper() for name in (*model.model_fields, *OTHER_VARIABLES)]
    for variable in sorted(os.environ):
        if variable.startswith(_PREFIX) and variable.upper() not in known:
            meant = similar(variable, known, _MISSPELT)
            if meant is not None:
                yield Mistake(file=_ENVIRONMENT, key=variable, wrong="is no setting", meant=meant)
