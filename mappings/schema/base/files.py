"""Reads knowledge files: the YAML and CSV of the product, or a site's own."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Protocol, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from mappings.schema.base.entries import KnowledgeError

T = TypeVar("T")

KNOWLEDGE = Path(__file__).parents[2]
"""The folder that ships with the product."""

CASES = ".cases.yaml"
"""How the name of a file of test patients ends: it is about the rules and none of them."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeys(_Loader):  # type: ignore[misc, valid-type]
    """YAML in which a repeated key is an error instead of a silent loss."""


def _mapping(loader: Any, node: Any) -> dict[Any, Any]:
    keys: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in keys:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is listed twice", key_node.start_mark)
        keys.add(key)
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path, shape: type[T]) -> T:
    """One YAML file as ``shape``; :class:`KnowledgeError` names the file and the key of the first fault."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a safe loader
        return TypeAdapter(shape).validate_python(content)
    except OSError as fault:
        raise KnowledgeError(f"{path.name}: cannot be read: {fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise KnowledgeError(f"{path.name}: not YAML: it is not written in UTF-8") from fault
    except yaml.YAMLError as fault:
        raise KnowledgeError(f"{path.name}: not YAML: {' '.join(str(fault).split())}") from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top)"
        raise KnowledgeError(f"{path.name}: {key}: {first['msg']}") from fault


class NamedFile(Protocol):
    """A knowledge file that contains its own id."""

    @property
    def id(self) -> str:
        """Also the file name without its suffix."""


N = TypeVar("N", bound=NamedFile)


def read_named(folder: Path, shape: type[N]) -> dict[str, N]:
    """Every file of a folder by id, except test patients and shared files (``_*.yaml``).

    :raises KnowledgeError: if an id and its file name differ.
    """
    contents: dict[str, N] = {}
    for path in sorted(folder.glob("[!_]*.yaml")):
        if path.name.endswith(CASES):
            continue
        content = read_yaml(path, shape)
        if path.name != f"{content.id}.yaml":
            raise KnowledgeError(f"{path.name}: id: must be the name of the file, not {content.id!r}")
        contents[content.id] = content
    return contents


def rule_files(folder: Path) -> list[Path]:
    """Every file that says what the service does, test patients left out; sorted, so that it names one knowledge."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in {".yaml", ".csv", ".txt", ".gz"} and not path.name.endswith(CASES) and path.is_file()
    )


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of one CSV file with a header; :class:`KnowledgeError` if it cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise KnowledgeError(f"{path.name}: cannot be read: {fault}") from fault
