"""Text of the record in a card stays text, whatever it says."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_hooks.protocol.markdown import MAX_LENGTH, plain, quote, table

RENDER = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![pixel](https://evil.example/p.png)",
    "https://evil.example/",
    "`code` and ``more``",
    "a | b | c",
    "line\nbreak\r\n# heading",
    "back\\slash \\` tick",
    "*bold* _it_ ~~gone~~",
    "\u202eevil\u202c reversed",
    "zero\u200bwidth",
    "&lt;b&gt; &#x3c;",
    "<!-- comment -->",
    "```\nfence\n```",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_makes_no_element_but_code(text: str) -> None:
    html = RENDER(table(("a", "b"), [(quote(text), "x")]))
    assert html.count("<tr>") == 2
    assert html.count("<code>") == 1
    for element in ("<script", "<img", "<a ", "<strong", "<em", "<h1", "<!--", "<pre"):
        assert element not in html


@given(st.text())
def test_any_text_is_one_visible_line_in_one_cell(text: str) -> None:
    quoted = quote(text)
    shown = plain(text)
    assert len(shown) <= MAX_LENGTH
    assert not any(unicodedata.category(character) in {"Cc", "Cf"} for character in quoted)
    html = RENDER(table(("a", "b"), [(quoted or "none", "end")]))
    assert html.count("<td>") == 2
    assert "<td>end</td>" in html


def test_what_is_cut_says_so() -> None:
    assert plain("x" * 500, 10) == "x" * 9 + "…"
    assert plain("short", 10) == "short"
