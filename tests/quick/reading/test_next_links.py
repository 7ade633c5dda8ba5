"""Which next links are followed, and how a base URL is written: nothing leads away from the server."""

from __future__ import annotations

import asyncio
import ssl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.errors import BadInput
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.urls import normal_base_url
from tests.support.profiles import examples

BASE = "https://ehr.example/fhir"
CONTEXT = ssl.create_default_context()


def page_url(link: str, base: str = BASE) -> str | None:
    """Where a next link would be followed to."""

    async def go() -> str | None:
        async with FhirServers(context=CONTEXT) as clients:
            url = clients.server(base).page_url(link)
            return None if url is None else str(url)

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("link", "followed"),
    [
        (f"{BASE}/Observation?page=2", f"{BASE}/Observation?page=2"),
        (f"{BASE}?_getpages=7&_getpagesoffset=20", f"{BASE}?_getpages=7&_getpagesoffset=20"),
        (f"{BASE}/?_getpages=7", f"{BASE}/?_getpages=7"),
        ("https://ehr.example:443/fhir/Observation?page=2", "https://ehr.example/fhir/Observation?page=2"),
        ("HTTPS://EHR.EXAMPLE/fhir/Observation?page=2", f"{BASE}/Observation?page=2"),
        ("Observation?page=2", f"{BASE}/Observation?page=2"),
        (f"{BASE}/./a/../Observation?page=2", f"{BASE}/Observation?page=2"),
        ("?_getpages=7", f"{BASE}?_getpages=7"),
        ("/fhir/Observation?page=2", f"{BASE}/Observation?page=2"),
        ("/Observation?page=2", f"{BASE}/Observation?page=2"),
        (
            f"{BASE}/Observation?next=https://canary.example/",
            f"{BASE}/Observation?next=https%3A%2F%2Fcanary.example%2F",
        ),
        (f"{BASE}/Observation?code=http://loinc.org|1,2", f"{BASE}/Observation?code=http%3A%2F%2Floinc.org%7C1%2C2"),
        (f"{BASE}/Observation?ct=a%2Bb+c==&_count=20", f"{BASE}/Observation?ct=a%2Bb+c==&_count=20"),
        ("/fhir/Observation?code=http://loinc.org|1", f"{BASE}/Observation?code=http%3A%2F%2Floinc.org%7C1"),
        ("Observation?code=http://loinc.org|1", f"{BASE}/Observation?code=http%3A%2F%2Floinc.org%7C1"),
        (f"{BASE}/v/r4/[x]|y/Observation?page=2", f"{BASE}/v/r4/%5Bx%5D%7Cy/Observation?page=2"),
    ],
)
def test_next_links_that_are_followed(link: str, followed: str) -> None:
    assert page_url(link) == followed


HOSTILE = (
    "https://canary.example/fhir/Observation?page=2",
    "http://ehr.example/fhir/Observation?page=2",
    "https://ehr.example:8443/fhir/Observation",
    "https://ehr.example:443:443/fhir/Observation",
    "https://ehr.example.canary.example/fhir/Observation",
    "https://ehr.example./fhir/Observation",
    "https://ehr.example@canary.example/fhir/Observation",
    "https://ehr.example:x@canary.example/fhir/Observation",
    "https://user@ehr.example/fhir/Observation",
    "https://canary.example#@ehr.example/fhir/Observation",
    "https://canary.example\\@ehr.example/fhir/Observation",
    "https://ehr.example\\.canary.example/fhir/Observation",
    "https:\\\\canary.example/fhir",
    "//canary.example/fhir/Observation",
    "///canary.example/fhir/Observation",
    "https:///canary.example/fhir",
    "https://ehr.example/admin",
    "https://ehr.example/fhirx/Observation",
    "https://ehr.example/fhir/../admin",
    "https://ehr.example/fhir/%2e%2e/admin",
    "https://ehr.example/fhir/%2E%2E%2fadmin",
    "https://ehr.example/fhir/..%5cadmin",
    "https://ehr.example/fhir/x%2fadmin",
    "https://ehr.example/fhir/x%2f..%2f..%2fadmin",
    "https://ehr.example/FHIR/Observation",
    "https://ehr.example/fhir/Observation#x",
    "https://ehr.example/fhir/a\r\nHost: canary.example",
    "https://ehr.example/fhir/\x00",
    "../admin",
    "/../admin",
    "Observation/../../admin",
    "ftp://ehr.example/fhir/x",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://127.0.0.1/fhir",
    "http://[::1]/fhir",
    "https://2130706433/fhir/Observation",
    "https://xn--hr-fka.example/fhir/",
    "https://xn--localhost-/fhir/",
    "https://ehr.example%00.canary.example/fhir/",
    "https://ehr.example%2f.canary.example/fhir/",
    "https://еhr.example/fhir/Observation",
    "https://ehr。example/fhir@canary.example/",
    "https://[ehr.example/fhir",
    "https://ehr.example:99999/fhir",
    "://",
)


@pytest.mark.parametrize("link", HOSTILE)
def test_next_links_that_are_refused_or_stay_under_the_base(link: str) -> None:
    followed = page_url(link)
    if "://" in link:
        assert followed is None
    elif followed is not None:
        url = httpx.URL(followed)
        assert (url.scheme, url.host, url.port) == ("https", "ehr.example", None)
        assert url.path.startswith("/fhir/")
        assert ".." not in url.path


@examples(2)
@given(
    st.lists(
        st.sampled_from(
            [
                "https:",
                "http:",
                "/",
                "//",
                "ehr.example",
                "canary.example",
                "@",
                ":",
                "443",
                "fhir",
                "..",
                ".",
                "\\",
                "%2e",
                "%2f",
                "%5c",
                "#",
                "?",
                "Observation",
                "admin",
                "\t",
                " ",
                "\u3002",
                "[",
                "]",
                ";",
            ]
        ),
        max_size=12,
    )
)
def test_no_link_leads_away(parts: list[str]) -> None:
    followed = page_url("".join(parts))
    if followed is not None:
        url = httpx.URL(followed)
        assert (url.scheme, url.host, url.port, url.userinfo) == ("https", "ehr.example", None, b"")
        assert url.path.rstrip("/") == "/fhir" or url.path.startswith("/fhir/")
        assert not {"..", "."} & set(url.path.split("/"))
        assert "\\" not in url.path


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://EHR.example/fhir/", BASE),
        ("https://ehr.example:443/fhir", BASE),
        (" https://ehr.example/fhir ", BASE),
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
    ],
)
def test_one_way_to_write_a_base_url(text: str, normal: str) -> None:
    assert normal_base_url(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ehr.example/fhir",
        "ftp://h/x",
        "https://",
        "https://u:p@h/fhir",
        "https://h/fhir?x=1",
        "https://h/#x",
        "https://h:port/",
        "https://h:99999/fhir",
        "https://h/fhir/../x",
        "https://[h/",
        "https://h/ x",
        "https://h\\x",
        "https://еhr.example",
        "https://h/a%2fb",
    ],
)
def test_what_is_no_base_url(text: str) -> None:
    with pytest.raises(BadInput, match="FHIR server"):
        normal_base_url(text)
