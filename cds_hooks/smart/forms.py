"""The fields of the app's own forms."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

_MOST_FIELDS = 200
_ANSWER = "q-"


def read_form(body: bytes) -> dict[str, str]:
    """The fields by name, the first value of each; empty if the body is not a form."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def read_answers(fields: Mapping[str, str]) -> dict[str, str]:
    """The answers among the fields, by the number of the question."""
    return {name.removeprefix(_ANSWER): value for name, value in fields.items() if name.startswith(_ANSWER)}
