"""Pages by themselves: their headers, their assets, and Markdown that cannot become anything but text."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from cds_hooks.web.markdown import markdown_html
from cds_hooks.web.pages import Pages, page_headers


@pytest.fixture(scope="module")
def client() -> TestClient:
    pages = Pages()

    async def page(request: Request) -> Response:
        return pages.answer("error.html", request, title="<script>alert(1)</script>", why="why", back=None)

    return TestClient(Starlette(routes=[Route("/", page), *pages.routes]))


def test_a_page_lets_nothing_in_from_elsewhere_and_escapes_what_it_is_given(client: TestClient) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_who_may_frame_a_page_is_named_and_cannot_smuggle_in_a_directive() -> None:
    assert "frame-ancestors https://ehr.example" in page_headers(["https://ehr.example"])["Content-Security-Policy"]
    with pytest.raises(ValueError, match="semicolon"):
        page_headers(["https://ehr.example; script-src *"])


def test_an_asset_is_kept_for_ever_at_its_own_address_and_asked_about_at_any_other(client: TestClient) -> None:
    page = client.get("/").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    kept = client.get(address)
    assert kept.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in kept.headers["cache-control"]
    plain = client.get(address.partition("?")[0])
    assert plain.headers["cache-control"] == "no-cache"
    assert client.get(address, headers={"If-None-Match": plain.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("name", ["nothing.css", "..%2fpages.py", "%2e%2e/pages.py", "style.css%00"])
def test_nothing_but_the_assets_is_given_out(client: TestClient, name: str) -> None:
    assert client.get(f"/assets/{name}").status_code == 404


def test_markdown_is_shown_and_what_is_dangerous_in_it_is_not() -> None:
    shown = markdown_html("**bold** `code`\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n[rule](https://example.org/x)")
    assert "<strong>bold</strong> <code>code</code>" in shown
    assert "<td>1</td>" in shown
    assert 'href="https://example.org/x"' in shown
    assert 'rel="noopener noreferrer"' in shown


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![pixel](https://evil.example/p.png)",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "<javascript:alert(1)>",
        "[x](//evil.example)",
        "<svg/onload=alert(1)>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "| <style>*{display:none}</style> |\n| --- |\n| <form action=//evil.example> |",
    ],
)
def test_markdown_becomes_no_script_no_image_and_no_odd_link(text: str) -> None:
    shown = markdown_html(text)
    for tag in ("<script", "<img", "<svg", "<iframe", "<style", "<form"):
        assert tag not in shown
    for scheme in ('href="javascript', 'href="data', 'href="/', 'src="'):
        assert scheme not in shown
