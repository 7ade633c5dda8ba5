"""Checks a built site: every link and picture inside it leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
_NOT_LOADED = {"canonical", "next", "prev", "alternate"}
"""Kinds of ``link`` that a browser does not fetch."""


class _Document(HTMLParser):
    """The anchors and the addresses of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        address = values.get(_LOADED.get(tag, ""))
        if address is not None and values.get("rel") not in _NOT_LOADED:
            self.loaded.append(address)


def faults(site: Path) -> Iterator[str]:
    """One line for each link that leads nowhere, and for each thing that is loaded from another host."""

    @cache
    def document(file: Path) -> _Document:
        return _Document(file.read_text(encoding="utf-8"))

    for file in sorted(site.rglob("*.html")):
        where = file.relative_to(site)
        for address in document(file).loaded:
            if urlsplit(address).netloc:
                yield f"{where}: {address}: loaded from another host"
        if file.name == "404.html":
            continue  # its addresses begin at the root of the host, wherever that is
        for address in (*document(file).links, *document(file).loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = _target(file, unquote(parts.path))
            if not target.is_file():
                yield f"{where}: {address}: no such file"
            elif (
                parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in document(target).anchors
            ):
                yield f"{where}: {address}: no such anchor"


def _target(file: Path, path: str) -> Path:
    target = (file.parent / path).resolve() if path else file
    return target / "index.html" if target.is_dir() else target
