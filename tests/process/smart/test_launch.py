"""The way into the app: who is let in, who is not, and what nobody learns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc.jwk import ECKey

from tests.support.smart.ehr import NULL, running_ehr
from tests.support.smart.fixtures import ANCESTOR, App, running_app
from tests.support.smart.pages import view_of

pytestmark = pytest.mark.server


def refused(answer: httpx2.Response, words: str) -> None:
    """A clear page, and nothing of the inside."""
    assert answer.status_code in {400, 403}
    assert words in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"


def test_a_launch_from_a_chart_opens_that_chart(app: App, visitor: httpx2.Client) -> None:
    answer = visitor.get(app.launch("partial-response-to-ketamine"))
    assert answer.status_code == 200
    assert "Keisha Abernathy" in answer.text
    (asked,) = app.ehr.authorizations
    assert asked["aud"] == app.ehr.issuer
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert asked["redirect_uri"] == f"{app.address}/smart/callback"
    assert {"launch", "patient/Condition.rs", "patient/QuestionnaireResponse.c"} <= set(asked["scope"].split())


def test_a_launch_without_a_chart_asks_for_a_patient(app: App, visitor: httpx2.Client) -> None:
    start = visitor.get(f"{app.address}/smart")
    link = re.search(r'href="(/smart/launch\?iss=[^"]+)"', start.text)
    assert link
    answer = visitor.get(f"{app.address}{link[1]}")
    assert answer.status_code == 200
    assert "launch/patient" in app.ehr.authorizations[0]["scope"]
    assert "launch" not in app.ehr.authorizations[0]


def test_the_token_never_reaches_the_browser(app: App, visitor: httpx2.Client) -> None:
    answer = visitor.get(app.launch())
    pages = [
        visitor.get(f"{view_of(answer)}/{name}") for name in ("overview", "criteria", "trials", "questionnaires/phq9")
    ]
    (token,) = app.ehr.tokens
    for each in (answer, *answer.history, *pages):
        assert token not in each.text
        assert token not in str(each.headers)
        assert token not in str(each.url)
    assert all(token not in cookie.value for cookie in visitor.cookies.jar if cookie.value)


def test_cookies_are_out_of_reach_of_scripts_and_belong_to_one_opening(app: App, visitor: httpx2.Client) -> None:
    answer = visitor.get(app.launch())
    told = [each.headers["set-cookie"] for each in answer.history if "set-cookie" in each.headers]
    assert len(told) == 2
    assert all("HttpOnly" in each and "SameSite=" in each for each in told)
    assert f"Path={urlsplit(view_of(answer)).path}" in told[1]


def test_pages_may_be_framed_only_by_the_ehr_that_is_listed(app: App, visitor: httpx2.Client) -> None:
    answer = visitor.get(app.launch())
    assert f"frame-ancestors {ANCESTOR}" in answer.headers["content-security-policy"]
    assert (
        f"frame-ancestors {ANCESTOR}" in visitor.get(f"{app.address}/smart/callback").headers["content-security-policy"]
    )


def test_two_charts_in_one_browser_stay_apart(app: App, visitor: httpx2.Client) -> None:
    first = view_of(visitor.get(app.launch("two-failures")))
    second = view_of(visitor.get(app.launch("partial-response-to-ketamine")))
    assert first != second
    assert "Keisha Abernathy" in visitor.get(f"{second}/overview").text
    again = visitor.get(f"{first}/overview")
    assert again.status_code == 200
    assert "Keisha Abernathy" not in again.text


@pytest.mark.parametrize(
    "issuer",
    [
        "https://evil.example/fhir",
        "",
        "http://127.0.0.1:1/fhir",
        "javascript:alert(1)",
        "{issuer}/../x",
        "{issuer}@evil.example",
        "x" * 9000,
    ],
)
def test_an_ehr_that_is_not_listed_is_refused_and_not_asked(issuer: str, app: App, visitor: httpx2.Client) -> None:
    given = issuer.format(issuer=app.ehr.issuer)
    answer = visitor.get(f"{app.address}/smart/launch", params={"iss": given, "launch": "x"})
    refused(answer, "not set up for the EHR")
    assert not given or given not in answer.text
    assert app.ehr.asked == []


def stopped(app: App, visitor: httpx2.Client) -> str:
    """A launch that has come as far as the way back: the address that the EHR sends the browser to."""
    answer = visitor.get(app.launch(), follow_redirects=False)
    back = visitor.get(answer.headers["location"], follow_redirects=False)
    return str(back.headers["location"])


def test_a_state_that_was_changed_or_belongs_to_another_browser_opens_nothing(app: App, visitor: httpx2.Client) -> None:
    back = stopped(app, visitor)
    state = parse_qs(urlsplit(back).query)["state"][0]
    changed = ("B" if state.startswith("A") else "A") + state[1:]
    refused(visitor.get(back.replace(state, changed)), "started in another browser")
    with httpx2.Client() as other:
        refused(other.get(back), "started in another browser")
    assert "POST /token" not in app.ehr.asked


def test_a_code_is_traded_once(app: App, visitor: httpx2.Client) -> None:
    back = stopped(app, visitor)
    assert visitor.get(back).status_code == 200
    refused(visitor.get(back), "has expired")
    assert app.ehr.asked.count("POST /token") == 1


def test_a_code_of_somebody_else_is_worth_nothing(app: App, visitor: httpx2.Client) -> None:
    back = stopped(app, visitor)
    code = parse_qs(urlsplit(back).query)["code"][0]
    refused(visitor.get(back.replace(code, "stolen")), "issued no token")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("access_denied", "denied access"),
        ("invalid_scope", "does not allow this app"),
        ("<script>x</script>", "did not authorize"),
    ],
)
def test_a_refusal_of_the_ehr_is_said_in_our_words(error: str, words: str, app: App, visitor: httpx2.Client) -> None:
    app.ehr.refuse_with = error
    answer = visitor.get(app.launch())
    refused(answer, words)
    assert "<script>x" not in answer.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patient": None}, "whose chart"),
        ({"patient": "../admin"}, "whose chart"),
        ({"access_token": None}, "issued no token"),
        ({"patient": NULL}, "whose chart"),
        ({"patient": ["two-failures"]}, "whose chart"),
        ({"access_token": NULL}, "no access token"),
        ({"access_token": 5}, "no access token"),
        ({"access_token": None, "error": "server_error"}, "reported an error"),
        ({"access_token": "a b"}, "characters that no token may have"),
        ({"token_type": "mac"}, "only Bearer"),
        ({"expires_in": 0}, "has already expired"),
        ({"expires_in": "0"}, "has already expired"),
        ({"expires_in": "-3.5"}, "has already expired"),
    ],
)
def test_a_token_that_is_of_no_use_opens_nothing(
    changes: dict[str, Any], words: str, app: App, visitor: httpx2.Client
) -> None:
    app.ehr.token_changes = changes
    refused(visitor.get(app.launch()), words)


HARMLESS: tuple[dict[str, Any], ...] = (
    {"expires_in": "3600"},
    {"expires_in": "3600.0"},
    {"expires_in": 3599.5},
    {"expires_in": 1e12},
    {"expires_in": NULL},
    {"expires_in": None},
    {"expires_in": "soon"},
    {"expires_in": {}},
    {"encounter": NULL},
    {"encounter": 7},
    {"encounter": {"reference": "Encounter/1"}},
    {"encounter": "../x"},
    {"scope": NULL},
    {"scope": None},
    {"scope": ["launch", "patient/*.rs"]},
    {"scope": 3},
    {"token_type": NULL},
    {"token_type": "BEARER"},
    {"refresh_token": NULL, "id_token": NULL, "need_patient_banner": "no", "intent": 1},
    {"id_token": "a.b.c"},
    {"id_token": "\u00e9"},
    {"appContext": NULL},
    {"appContext": ["x"]},
    {"fhirContext": "not a list"},
)


@pytest.mark.parametrize("changes", HARMLESS, ids=str)
def test_a_harmless_member_of_any_kind_does_not_stop_a_launch(
    changes: dict[str, Any], app: App, visitor: httpx2.Client
) -> None:
    app.ehr.token_changes = changes
    assert visitor.get(app.launch()).status_code == 200


@pytest.mark.parametrize("length", [1_900, 4_000, 15_000])
def test_a_long_code_is_a_code(length: int, app: App, visitor: httpx2.Client) -> None:
    app.ehr.code_padding = length
    assert visitor.get(app.launch()).status_code == 200


def test_a_code_beyond_any_measure_is_called_that(app: App, visitor: httpx2.Client) -> None:
    app.ehr.code_padding = 20_000
    refused(visitor.get(app.launch()), "a code that is too long")
    assert "POST /token" not in app.ehr.asked


@pytest.mark.parametrize("methods", [NULL, None, "S256", ["S256", "plain"], ["plain", 3, "S256"], {}], ids=str)
def test_pkce_is_used_where_it_is_not_ruled_out(methods: Any, app: App, visitor: httpx2.Client) -> None:
    app.ehr.configuration = {"code_challenge_methods_supported": methods}
    assert visitor.get(app.launch()).status_code == 200
    assert app.ehr.authorizations[0]["code_challenge_method"] == "S256"


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({"authorization_endpoint": NULL}, "names no authorization_endpoint"),
        ({"token_endpoint": None}, "names no token_endpoint"),
        ({"token_endpoint": "http://evil.example/token"}, "a token_endpoint that is not secure"),
        ({"code_challenge_methods_supported": ["plain"]}, "does not support PKCE"),
        ({"code_challenge_methods_supported": "plain"}, "does not support PKCE"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused_for_its_cause(
    configuration: dict[str, Any], words: str, app: App, visitor: httpx2.Client
) -> None:
    app.ehr.configuration = configuration
    refused(visitor.get(app.launch()), words)


@pytest.mark.parametrize(
    "configuration",
    [
        {"code_challenge_methods_supported": ["plain"]},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": 3},
        {"token_endpoint": "javascript:alert(1)"},
    ],
)
def test_an_ehr_that_cannot_be_trusted_with_a_browser_is_not_sent_one(
    configuration: dict[str, Any], app: App, visitor: httpx2.Client
) -> None:
    app.ehr.configuration = configuration
    refused(visitor.get(app.launch()), "The EHR")
    assert app.ehr.authorizations == []


def test_an_opening_that_is_over_says_so(app: App, visitor: httpx2.Client) -> None:
    view = view_of(visitor.get(app.launch()))
    token = re.search(r'name="token" value="([^"]+)"', visitor.get(f"{view}/overview").text)
    assert token
    assert "has forgotten this chart" in visitor.post(f"{view}/leave", data={"token": token[1]}).text
    for page in ("overview", "criteria", "course.svg", "questionnaires/phq9"):
        refused(visitor.get(f"{view}/{page}"), "Open the app again")


def test_another_browser_sees_nothing_of_an_opening(app: App, visitor: httpx2.Client) -> None:
    view = view_of(visitor.get(app.launch()))
    with httpx2.Client() as other:
        for page in ("overview", "criteria", "dossier", "course.svg", "questionnaires/phq9"):
            answer = other.get(f"{view}/{page}")
            refused(answer, "Open the app again")
            assert "Two" not in answer.text


def test_permissions_that_are_missing_are_named(app: App, visitor: httpx2.Client) -> None:
    app.ehr.token_changes = {
        "scope": "launch patient/Patient.rs patient/Condition.rs patient/MedicationRequest.r"
        " patient/Observation.rs?category=survey"
    }
    answer = visitor.get(app.launch())
    assert answer.status_code == 200
    said = answer.text.partition("Not allowed to read:")[2].partition(".")[0]
    assert {"MedicationRequest", "Observation", "Procedure"} <= set(re.findall(r"\w+", said))
    assert {"Patient", "Condition"}.isdisjoint(re.findall(r"\w+", said))
    # What may not be asked for is not, and what was found of a part is not all there is.
    assert not [each for each in app.ehr.asked if "Procedure" in each or "MedicationRequest" in each]
    assert re.search(r"\w+: \w+ \(the scope of the access token is for a part of it\)", answer.text)


def test_a_page_that_nothing_can_be_said_on_says_which_permission_is_missing(app: App, visitor: httpx2.Client) -> None:
    app.ehr.token_changes = {"scope": "launch patient/Patient.rs patient/Observation.rs"}
    answer = visitor.get(app.launch())
    assert answer.status_code == 502
    assert "conditions" in answer.text
    assert "outside the scope of the access token" in answer.text


def test_a_flood_of_launches_does_not_become_one_of_the_ehr(app: App, visitor: httpx2.Client) -> None:
    for _ in range(3):
        visitor.get(app.launch(), follow_redirects=False)
    assert app.ehr.asked == ["GET /fhir/.well-known/smart-configuration"]


@pytest.fixture(params=["secret", "key"])
def confidential(request: pytest.FixtureRequest, fhir: str, tmp_path: Path) -> Iterator[App]:
    """The app as a confidential client, by a secret or by a key."""
    with running_ehr(fhir) as ehr:
        if request.param == "secret":
            ehr.secret = "s3cret"
            with running_app(ehr, client_secret="s3cret") as running:
                yield running
        else:
            (tmp_path / "key.pem").write_bytes(ECKey.generate_key("P-384").as_pem(private=True))
            with running_app(ehr, key=str(tmp_path / "key.pem")) as running:
                yield running


def test_a_confidential_client_shows_who_it_is(confidential: App, visitor: httpx2.Client) -> None:
    answer = visitor.get(confidential.launch())
    assert answer.status_code == (200 if confidential.ehr.secret else 400)
    assert ("client_assertion" in confidential.ehr.token_forms[0]) == (not confidential.ehr.secret)


def test_a_public_client_is_not_enough_where_a_secret_is_asked_for(app: App, visitor: httpx2.Client) -> None:
    app.ehr.secret = "another"
    refused(visitor.get(app.launch()), "issued no token")
