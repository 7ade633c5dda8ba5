"""Where else a token may stand in a request, as its bytes: it counts in one Authorization header and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hooks.calls import ORDER_SIGN
from tests.support.trust.signing import clients, recorded, signed
from tests.support.trust.sockets import exchange, serving

URL = ORDER_SIGN.encode()
GOOD = b"Authorization: Bearer %t"
FORMS: dict[str, tuple[bytes, bytes]] = {
    "in the query": (URL + b"?access_token=%t", b"X: y"),
    "in the query, by its scheme": (URL + b"?Authorization=Bearer%20%t", b"X: y"),
    "in the query, beside an empty header": (URL + b"?access_token=%t", b"Authorization:"),
    "in the user of an absolute address": (b"http://Bearer:%t@127.0.0.1" + URL, b"X: y"),
    "in a cookie": (URL, b"Cookie: Authorization=Bearer %t"),
    "in a cookie of the usual name": (URL, b"Cookie: access_token=%t"),
    "twice, alike": (URL, GOOD + b"\r\n" + GOOD),
    "twice, the first of another scheme": (URL, b"Authorization: Basic eA==\r\n" + GOOD),
    "twice, the last of another scheme": (URL, GOOD + b"\r\nAuthorization: Basic eA=="),
    "twice, one in small letters": (URL, GOOD + b"\r\nauthorization: Bearer x"),
    "twice, one empty": (URL, GOOD + b"\r\nAuthorization:"),
    "twice in one header": (URL, GOOD + b", Bearer %t"),
    "after another scheme in one header": (URL, b"Authorization: Basic eA==, Bearer %t"),
    "with a tab": (URL, b"Authorization: Bearer\t%t"),
    "with a space inside": (URL, b"Authorization: Be arer %t"),
    "with an equals sign": (URL, b"Authorization: Bearer=%t"),
    "in quotation marks": (URL, b'Authorization: Bearer "%t"'),
    "on a continued line": (URL, b"Authorization: Bearer\r\n %t"),
    "on a continued line of another header": (URL, b"X: y\r\n Authorization: Bearer %t"),
    "after a line that ends in a bare CR": (URL, b"X: y\rAuthorization: Bearer %t"),
    "with a space before the colon": (URL, b"Authorization : Bearer %t"),
    "with a zero byte before the colon": (URL, b"Authorization\x00: Bearer %t"),
    "with an underscore": (URL, b"HTTP_AUTHORIZATION: Bearer %t"),
    "in a header for proxies": (URL, b"Proxy-Authorization: Bearer %t"),
    "in a header of a proxy": (URL, b"X-Forwarded-Authorization: Bearer %t"),
    "with the scheme of another kind": (URL, b"Authorization: DPoP %t"),
    "with an origin that is not listed": (URL, GOOD + b"\r\nOrigin: https://evil.example"),
    "with the origin of another client": (URL, GOOD + b"\r\nOrigin: https://app.example"),
    "with an origin of nobody": (URL, GOOD + b"\r\nOrigin: null"),
    "in a trailer": (URL, b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: Bearer %t\r\n\r\n"),
}
REFUSED = (b"400", b"Invalid HTTP request received.")
"""By the web server: there was no call."""


@pytest.fixture(scope="module")
def guarded() -> Iterator[int]:
    """A service that wants tokens."""
    with serving(clients=clients(), replay_store=recorded()) as port:
        yield port


def sent(port: int, url: bytes, headers: bytes, token: str) -> bytes:
    """The answer to a post with these headers, in which ``%t`` is the token."""
    length = b"" if b"chunked" in headers else b"Content-Length: 2\r\n"
    head = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" % url + length + headers
    return exchange(port, head.replace(b"%t", token.encode()) + (b"" if b"chunked" in headers else b"\r\n\r\n{}"))


def told(answer: bytes) -> tuple[bytes, bytes]:
    """The status and the body of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b" ", 2)[1], body


@pytest.mark.parametrize("form", FORMS)
def test_a_token_counts_only_in_one_header(guarded: int, form: str) -> None:
    token = signed()
    answer = told(sent(guarded, *FORMS[form], token))
    assert answer in (told(sent(guarded, URL, b"X: y", "")), REFUSED)
    status, body = told(sent(guarded, URL, GOOD, token))
    assert (status, b"OperationOutcome" in body) == (b"400", True), "the token was good, and is not used up"


@pytest.mark.parametrize(
    "header", [b"authorization: Bearer %t", b"AUTHORIZATION: bearer %t", GOOD.replace(b"r %", b"r  %")]
)
def test_letters_and_spaces_do_not_matter(guarded: int, header: bytes) -> None:
    status, body = told(sent(guarded, URL, header, signed()))
    assert (status, b"OperationOutcome" in body) == (b"400", True)
