"""What the source says of a model's fields: the docstrings below them, which Python does not keep, and their types."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from docs.generator.markdown import code

_PLAIN: Mapping[type, str] = {str: "text", int: "whole number", float: "number", Path: "path", SecretStr: "secret text"}


@cache
def descriptions(model: type) -> Mapping[str, str]:
    """By field or enum member: the docstring below it."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if (name := _assigned(field)) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[name] = inspect.cleandoc(str(below.value.value))
    return found


def _assigned(field: ast.stmt) -> str | None:
    target = field.target if isinstance(field, ast.AnnAssign) else None
    if isinstance(field, ast.Assign):
        target = field.targets[0] if isinstance(field.targets[0], ast.Name) else None
    return target.id if isinstance(target, ast.Name) else None


def member_description(member: Enum) -> str:
    """The docstring below an enum member."""
    return descriptions(type(member)).get(member.name, "")


def type_words(field: FieldInfo) -> str:
    """What may stand for a field, in words."""
    return " ".join(filter(None, (annotation_words(field.annotation), _bounds(field.metadata))))


def annotation_words(kind: Any) -> str:
    """What a type accepts, in words."""
    arguments = [argument for argument in get_args(kind) if argument is not NoneType]
    origin = get_origin(kind)
    if origin is Literal:
        return " or ".join(code(argument) for argument in arguments)
    if origin in (Union, UnionType):
        return " or ".join(annotation_words(argument) for argument in arguments)
    if origin is tuple:
        return f"list of {_plural(annotation_words(arguments[0]))}"
    if hasattr(kind, "__metadata__"):
        return " ".join(filter(None, (annotation_words(arguments[0]), _bounds(kind.__metadata__))))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(code(member.value) for member in kind)
    if kind is bool:
        return "`true` or `false`"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "table"
    return _PLAIN.get(kind, getattr(kind, "__name__", str(kind)))


def _plural(words: str) -> str:
    return f"{words}s" if words in ("table", "path") else words


_BOUND_WORDS = {
    "gt": "above {}",
    "ge": "at least {}",
    "lt": "below {}",
    "le": "at most {}",
    "min_length": "of {} or more characters",
    "max_length": "at most {} long",
    "pattern": "matching `{}`",
}


def _bounds(metadata: Any) -> str:
    """The limits of a field; of a number nested in ``Annotated`` too."""
    found: list[str] = []
    for item in metadata:
        nested = getattr(item, "metadata", None)
        if nested:
            found.append(_bounds(nested))
        values = {name: getattr(item, name, None) for name in _BOUND_WORDS}
        found += [words.format(values[name]) for name, words in _BOUND_WORDS.items() if values[name] is not None]
    return ", ".join(filter(None, found))


def default_words(field: FieldInfo) -> str:
    """The default as it would be written in TOML, or that there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value in ("", ()):
        return "not set by default"
    if isinstance(value, bool):
        return f"default `{str(value).lower()}`"
    if isinstance(value, tuple):
        return _list_words(value)
    return f'default `"{value}"`' if isinstance(value, str) else f"default `{value}`"


def _list_words(values: tuple[object, ...]) -> str:
    quoted = ", ".join(f'"{value}"' for value in values)
    return f"default `[{quoted}]`"
