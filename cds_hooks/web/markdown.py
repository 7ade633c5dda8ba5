"""The Markdown of a card as HTML, as a careful EHR shows it: no raw HTML, no images, only http(s) links."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


_WEB = ("http://", "https://")


def markdown_html(text: str) -> Markup:
    """GitHub Flavored Markdown as HTML that is safe to put into a page."""
    clean = nh3.clean(
        _PARSER.render(text),
        tags=_TAGS,
        attributes={"a": {"href"}},
        attribute_filter=_filtered,
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return Markup(clean)  # noqa: S704 - cleaned by an allow-list in the line above


def _filtered(_tag: str, name: str, value: str) -> str | None:
    """The attribute value to keep; a relative link, or one that is not http(s), is dropped."""
    return None if name == "href" and not value.lower().startswith(_WEB) else value
