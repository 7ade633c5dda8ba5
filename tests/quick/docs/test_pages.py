"""Links of written pages, the navigation, and the check of a built site."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.generator.links import faults
from docs.generator.markdown import Page, prose, table
from docs.generator.navigation import MisplacedPageError, navigation
from docs.generator.site import ROOT, all_pages
from docs.generator.written import BrokenLinkError, with_site_links
from tests.support.shipped import shipped

PLACES = {
    "README.md": "start.md",
    "docs/operations/watch.md": "operations/watch.md",
    "docs/reference/settings.md": "reference/settings.md",
}


@pytest.mark.parametrize(
    ("source", "place", "written", "expected"),
    [
        ("README.md", "start.md", "[a](docs/operations/watch.md#log)", "[a](operations/watch.md#log)"),
        ("docs/connect/index.md", "connect/index.md", "[a](../../README.md)", "[a](../start.md)"),
        ("docs/connect/index.md", "connect/index.md", "[a](../reference/settings.md)", "[a](../reference/settings.md)"),
        ("README.md", "start.md", "![a](docs/pictures/x.png)", "![a](pictures/x.png)"),
        ("README.md", "start.md", "[a](https://example.org/x)", "[a](https://example.org/x)"),
        ("README.md", "start.md", "[a](#here)", "[a](#here)"),
        ("README.md", "start.md", "```\n[a](gone.md)\n```", "```\n[a](gone.md)\n```"),
    ],
)
def test_a_link_of_the_repository_becomes_one_of_the_site(source: str, place: str, written: str, expected: str) -> None:
    assert with_site_links(written, source, place, PLACES) == expected


def test_a_link_to_what_is_not_on_the_site_is_an_error() -> None:
    with pytest.raises(BrokenLinkError, match=r"README\.md: mappings: no page of the site"):
        with_site_links("[a](mappings)", "README.md", "start.md", PLACES)


def test_every_page_stands_in_the_navigation_once() -> None:
    pages = all_pages(shipped())
    assert len({page.path for page in pages}) == len(pages)
    shown = navigation(pages)
    assert all(shown.count(f'"{page.path}"') == 1 for page in pages)


def test_a_page_in_no_section_is_an_error() -> None:
    with pytest.raises(MisplacedPageError, match=r"lost\.md: in no section"):
        navigation([Page("lost.md", "Lost", "# Lost\n")])


def test_the_api_page_needs_no_entry_of_its_own() -> None:
    assert '"python-api.md"' in navigation([Page("python-api.md", "Python API", "# Python API\n")])


def test_text_of_the_knowledge_is_no_markdown() -> None:
    assert prose("a_b *c* <d>  e\n[f]") == r"a\_b \*c\* &lt;d> e \[f\]"
    assert (
        table(("a", "b", "c"), [("1|2", "", "x"), ("3", "", "y")])
        == "| a | c |\n| --- | --- |\n| 1\\|2 | x |\n| 3 | y |"
    )


def test_every_faulty_link_of_a_built_site_is_found(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/index.html").write_text('<h1 id="top">Sub</h1>', encoding="utf-8")
    (tmp_path / "index.html").write_text(
        '<a href="sub/#top">fine</a> <a href="https://example.org/">fine</a> <link rel="canonical" href="https://a.example/">'
        '<a href="sub/#gone">x</a> <a href="gone/">x</a> <img src="gone.png"> <script src="https://cdn.example/x.js"></script>',
        encoding="utf-8",
    )
    assert list(faults(tmp_path)) == [
        "index.html: https://cdn.example/x.js: loaded from another host",
        "index.html: sub/#gone: no such anchor",
        "index.html: gone/: no such file",
        "index.html: gone.png: no such file",
    ]


def test_no_written_page_is_missing_from_the_repository() -> None:
    paths = {page.path for page in all_pages(shipped())}
    assert {file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").rglob("*.md")} <= paths
