"""One value is replaced and every other byte stays: whatever JSON a client writes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.order_checks.json_edit import replace_value

PATH = ("dosageInstruction", 0, "doseAndRate", 1, "doseQuantity", "value")
SPACE = st.sampled_from(["", " ", "\n  ", "\t", "\r\n"])
NUMBER = st.sampled_from(
    ["0", "-0", "1", "1.0", "1.10", "1e3", "1E+3", "-2.50e-7", "9007199254740993", "18446744073709551616",
     "3.14159265358979323846264338327950288", "1" * 60]
)  # fmt: skip
STRING = st.text(max_size=6).map(json.dumps) | st.sampled_from(
    [r'"\u00e9"', r'"\ud83d\ude00"', '"é😀"', r'"a\"b\\"', r'"\/"', '"}],{"', '"\\\\"', '"[\\""']
)
SCALAR = NUMBER | STRING | st.sampled_from(["true", "false", "null"])


def spaced(parts: list[str], opening: str, closing: str, space: str) -> str:
    return opening + space + f"{space},{space}".join(parts) + space + closing


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    return spaced(draw(st.lists(inner, max_size=3)), "[", "]", draw(SPACE))


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[str], own: tuple[str, str] | None = None) -> str:
    """An object of unlike names, at one place of which stands the member ``own``."""
    names = draw(st.lists(STRING.filter(lambda each: json.loads(each) not in PATH), max_size=3, unique_by=json.loads))
    space = draw(SPACE)
    members = [f"{name}{space}:{space}{draw(inner)}" for name in names]
    if own:
        members.insert(draw(st.integers(0, len(members))), f"{draw(spelled(own[0]))}{space}:{space}{own[1]}")
    return spaced(members, "{", "}", space)


def spelled(name: str) -> st.SearchStrategy[str]:
    """A name as it is, or with one of its letters escaped."""
    return st.sampled_from([json.dumps(name), f'"\\u{ord(name[0]):04x}{name[1:]}"'])


VALUE = st.recursive(SCALAR, lambda inner: arrays(inner) | objects(inner), max_leaves=6)


@st.composite
def drafts(draw: st.DrawFn) -> tuple[str, str]:
    """A draft with its dose, and the text of the dose."""
    dose = draw(NUMBER)
    value = dose
    for step in reversed(PATH):
        if isinstance(step, str):
            value = draw(objects(VALUE, (step, value)))
        else:
            before, after = [draw(VALUE) for _ in range(step)], draw(st.lists(VALUE, max_size=1))
            value = spaced([*before, value, *after], "[", "]", draw(SPACE))
    return draw(SPACE) + value + draw(SPACE), dose


def exact(text: str) -> Any:
    """The content with numbers as they are spelled and members in their order."""
    return json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=list)


def at_path(pairs: Any) -> list[Any]:
    """The way to the dose through the members in their order."""
    found = pairs
    for step in PATH:
        found = dict(found)[step] if isinstance(step, str) else found[step]
    return [found]


@given(drafts(), NUMBER)
def test_only_the_value_changes_and_every_other_byte_stays(draft: tuple[str, str], after: str) -> None:
    text, before = draft
    changed = replace_value(text.encode(), PATH, after.encode())
    assert changed is not None
    new = changed.decode()
    assert at_path(exact(new)) == [after]
    assert at_path(exact(text)) == [before]
    start = next(index for index in range(len(text) + 1) if text[:index] + after + text[index + len(before) :] == new)
    assert replace_value(changed, PATH, before.encode()) == text.encode()
    assert new[:start] == text[:start]
    assert new[start + len(after) :] == text[start + len(before) :]


@given(VALUE)
def test_a_value_that_is_not_there_changes_nothing(text: str) -> None:
    assert replace_value(text.encode(), PATH, b"1") is None


@given(st.binary(max_size=12))
def test_what_is_no_json_changes_nothing(content: bytes) -> None:
    assert replace_value(content, ("a",), b"1") is None or b"a" in content


def test_a_name_that_stands_twice_means_nothing_certain() -> None:
    assert replace_value(b'{"a": 1, "\\u0061": 2}', ("a",), b"3") is None
    assert replace_value(b'{"b": {"a": 1}, "a": 2}', ("a",), b"3") == b'{"b": {"a": 1}, "a": 3}'


def test_text_that_is_not_utf_8_is_not_sent_back() -> None:
    assert replace_value(b'{"a": 1, "b": "\xff"}', ("a",), b"3") is None
