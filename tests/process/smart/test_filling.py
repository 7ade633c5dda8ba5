"""Questionnaires: what is answered becomes a valid response with the score that Tandem gives it, saved once or not."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse
from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.smart.filling import PatientContext, build_response, fill_questionnaire
from fhir_plugin.scales.questionnaires import option_weight
from fhir_plugin.scales.scoring import score_values
from mappings.schema.instruments.model import Instrument
from tests.support.hooks.calls import knowledge
from tests.support.smart.ehr import NULL, id_token
from tests.support.smart.fixtures import App, running_app
from tests.support.smart.pages import view_of

INSTRUMENTS = knowledge().instruments
FORMS = sorted(INSTRUMENTS.forms)
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SAFETY = knowledge().cards.safety[0].summary.format(signals=f"PHQ-9 {knowledge().wording.days.today}")
PATIENT = "two-failures"
Json = dict[str, Any]


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """A questionnaire and answers to all of its items, of which some will not be asked."""
    name = draw(st.sampled_from(FORMS))
    instrument = INSTRUMENTS[name]
    return name, {
        item.number: draw(
            st.sampled_from([each.value for each in INSTRUMENTS.answer_list(instrument, item).options]),
            label=item.number,
        )
        for item in instrument.items
    }


def asked(instrument: Instrument, given_: dict[str, int]) -> dict[str, int]:
    """Without the answers to what is asked only after another answer than was given."""
    return {
        item.number: given_[item.number]
        for item in instrument.items
        if item.asked_if is None or given_[item.asked_if.item] == item.asked_if.value
    }


@given(answers(), st.sampled_from(["male", "female", None]))
def test_a_whole_form_scores_as_its_values_do(filled_in: tuple[str, dict[str, int]], sex: str | None) -> None:
    name, given_ = filled_in
    form = INSTRUMENTS.forms[name]
    whose = PatientContext("p", sex)
    made = fill_questionnaire(form, {number: str(value) for number, value in given_.items()}, INSTRUMENTS, whose, NOW)
    kept = asked(form.instrument, given_)
    values = [_counted(form.instrument, number, kept.get(number)) for number in map(_number, form.instrument.items)]
    expected = score_values(form.instrument, values, sex=sex)
    assert made.complete
    assert made.missing == ()
    assert made.values == kept
    assert made.score == expected
    read = QuestionnaireResponse.model_validate(build_response(form, made.values, INSTRUMENTS, whose, NOW))
    assert read.subject.reference == "Patient/p"
    assert len(read.item) == len(kept)


def _number(item: Any) -> str:
    return str(item.number)


def _counted(instrument: Instrument, number: str, value: int | None) -> int | None:
    if value is None:
        return None
    item = instrument.item(number)
    answers_ = INSTRUMENTS.answer_list(instrument, item)
    return option_weight(next(each for each in answers_.options if each.value == value), item, answers_)


@given(answers(), st.data())
def test_an_answer_less_is_no_score_and_is_named(filled_in: tuple[str, dict[str, int]], data: st.DataObject) -> None:
    name, given_ = filled_in
    form = INSTRUMENTS.forms[name]
    left_out = data.draw(st.sampled_from(sorted(asked(form.instrument, given_))))
    rest = {number: str(value) for number, value in given_.items() if number != left_out}
    made = fill_questionnaire(form, rest, INSTRUMENTS, PatientContext("p", None), NOW)
    assert left_out in made.missing
    assert not made.complete


@pytest.mark.parametrize("value", ["4", "-1", "", "01", "3 ", "<script>", "٣", "1e0"])
def test_what_is_no_option_is_no_answer(value: str) -> None:
    made = fill_questionnaire(INSTRUMENTS.forms["phq9"], {"1": value}, INSTRUMENTS, PatientContext("p", None), NOW)
    assert made.values == {}
    assert made.score is None


@pytest.mark.parametrize(
    ("answered", "missing", "level"),
    [
        ({"1": 0, "2": 0, "6a": 0}, (), "none"),
        ({"1": 1, "2": 0, "6a": 0}, (), "low"),
        ({"1": 0, "2": 0, "6a": 0, "3": 1, "4": 1, "5": 1, "6b": 1}, (), "none"),
        ({"1": 1, "2": 1, "6a": 0}, ("3", "4", "5"), None),
        ({"1": 1, "2": 1, "3": 1, "4": 0, "5": 0, "6a": 0}, (), "moderate"),
        ({"1": 0, "2": 0, "6a": 1}, ("6b",), None),
        ({"1": 0, "2": 0, "6a": 1, "6b": 1}, (), "high"),
    ],
)
def test_the_screener_asks_only_what_follows(answered: dict[str, int], missing: tuple[str, ...], level: str) -> None:
    given_ = {number: str(value) for number, value in answered.items()}
    made = fill_questionnaire(INSTRUMENTS.forms["cssrs_screener"], given_, INSTRUMENTS, PatientContext("p", None), NOW)
    assert made.missing == missing
    assert made.score is not None
    if level:
        assert made.score.severity == level


@dataclass
class Filling:
    """One questionnaire in an open chart."""

    app: App
    visitor: httpx2.Client
    name: str = "phq9"
    view: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.view = view_of(self.visitor.get(self.app.launch(PATIENT)))
        self.read(self.visitor.get(self.address))

    @property
    def address(self) -> str:
        return f"{self.view}/questionnaires/{self.name.replace('_', '-')}"

    def read(self, answer: httpx2.Response) -> httpx2.Response:
        """Take over the hidden fields of the form."""
        found = re.findall(r'name="(token|once)" value="([^"]+)"', answer.text.partition("</header>")[2])
        self.fields |= dict(found)
        return answer

    def send(self, values: dict[str, int], do: str = "save", **changes: str) -> httpx2.Response:
        """Send the form as it is, without taking over the fields of the next one."""
        given_ = {f"q-{number}": str(value) for number, value in values.items()}
        return self.visitor.post(self.address, data={**self.fields, **given_, "do": do, **changes})

    def stored(self, kind: str) -> list[Json]:
        """What lies on the FHIR server itself that this app has saved."""
        answer = httpx2.get(f"{self.app.ehr.fhir}/{kind}", params={"patient": f"Patient/{PATIENT}", "_count": "500"})
        found = [each["resource"] for each in answer.json().get("entry", ())]
        return [each for each in found if _moment(each).startswith(f"{datetime.now(UTC):%Y-%m-%dT}")]

    def counts(self) -> tuple[int, int]:
        """How many responses and Observations there are of it."""
        return len(self.stored("QuestionnaireResponse")), len(self.stored("Observation"))


def _moment(resource: Json) -> str:
    return str(resource.get("authored") or resource.get("effectiveDateTime") or "")


@pytest.fixture
def phq9(app: App, visitor: httpx2.Client) -> Filling:
    return Filling(app, visitor)


WHOLE = {str(number): 1 for number in range(1, 10)} | {"9": 0}


@pytest.mark.server
def test_what_is_saved_is_what_was_answered(phq9: Filling) -> None:
    before = {kind: [each["id"] for each in phq9.stored(kind)] for kind in ("QuestionnaireResponse", "Observation")}
    shown = phq9.read(phq9.send(WHOLE, "score"))
    assert "PHQ-9: 8 (mild)" in shown.text
    assert phq9.counts() == tuple(map(len, before.values()))
    saved = phq9.send(WHOLE)
    named = re.search(
        r"Saved: <code>(QuestionnaireResponse/[^<]+)</code> and <code>(Observation/[^<]+)</code>", saved.text
    )
    assert named
    response, observation = (httpx2.get(f"{phq9.app.ehr.fhir}/{each}").json() for each in named.groups())
    QuestionnaireResponse.model_validate(response)
    Observation.model_validate(observation)
    assert response["subject"] == observation["subject"] == {"reference": f"Patient/{PATIENT}"}
    assert response["status"] == "completed"
    assert observation["derivedFrom"] == [{"reference": named[1]}]
    assert observation["valueQuantity"]["value"] == 8
    assert "Save to the EHR" not in saved.text


@pytest.mark.server
@pytest.mark.parametrize(
    ("user", "author"),
    [
        ("Practitioner/dr-1", "Practitioner/dr-1"),
        ("{issuer}/PractitionerRole/7", "PractitionerRole/7"),
        ("{issuer}/Patient/two-failures", "Patient/two-failures"),
        ("https://elsewhere.example/fhir/Practitioner/dr-1", None),
        ("Person/1", None),
        ("Practitioner/../1", None),
        (None, None),
    ],
)
def test_what_is_saved_names_the_author_and_the_encounter_of_the_launch(
    user: str | None, author: str | None, app: App, visitor: httpx2.Client
) -> None:
    claims = {"fhirUser": user.format(issuer=app.ehr.issuer)} if user else {}
    app.ehr.token_changes = {"encounter": "visit-3", "id_token": id_token(**claims)}
    assert "Saved: " in Filling(app, visitor).send(WHOLE).text
    response, observation = app.ehr.created
    QuestionnaireResponse.model_validate(response)
    Observation.model_validate(observation)
    assert response["encounter"] == observation["encounter"] == {"reference": "Encounter/visit-3"}
    assert response.get("author") == ({"reference": author} if author else None)
    assert observation.get("performer") == ([{"reference": author}] if author else None)


@pytest.mark.server
@pytest.mark.parametrize(
    "changes",
    [{}, {"encounter": NULL, "id_token": NULL}, {"encounter": "../1", "id_token": "x.y"},
     {"id_token": id_token(aud="another", fhirUser="Practitioner/1")}],
)  # fmt: skip
def test_what_the_launch_does_not_give_is_left_out(changes: Json, app: App, visitor: httpx2.Client) -> None:
    app.ehr.token_changes = changes
    assert "Saved: " in Filling(app, visitor).send(WHOLE).text
    for saved in app.ehr.created:
        assert not {"encounter", "author", "performer"} & set(saved)


@pytest.mark.server
@pytest.mark.parametrize("name", FORMS)
def test_every_questionnaire_can_be_filled_and_saved(name: str, shared: App, visitor: httpx2.Client) -> None:
    filling = Filling(shared, visitor, name)
    instrument = INSTRUMENTS[name]
    least = {
        item.number: min(each.value for each in INSTRUMENTS.answer_list(instrument, item).options)
        for item in instrument.items
    }
    saved = filling.send(least)
    assert "Saved: " in saved.text
    assert " and <code>Observation/" in saved.text


@pytest.mark.server
def test_a_form_that_is_not_whole_is_not_saved(phq9: Filling) -> None:
    before = phq9.counts()
    answer = phq9.send({number: value for number, value in WHOLE.items() if number not in ("3", "8")})
    assert "Not answered: 3, 8." in answer.text
    assert "Save to the EHR" not in answer.text
    assert phq9.counts() == before
    assert "Nothing was answered" in phq9.send({}).text


@pytest.mark.server
@pytest.mark.parametrize("values", [WHOLE | {"9": 1}, {"9": 3}])
def test_a_sign_of_suicide_stands_before_everything_else(values: dict[str, int], phq9: Filling) -> None:
    main = phq9.send(values, "score").text.partition("<main")[2]
    assert SAFETY in main
    first = main.index(SAFETY)
    assert all(first < main.index(other) for other in ("<h1", "PHQ-9:", "<form"))
    assert SAFETY not in phq9.send(WHOLE, "score").text


@pytest.mark.server
def test_a_score_is_banded_by_the_sex_on_the_chart(app: App, visitor: httpx2.Client) -> None:
    sex = httpx2.get(f"{app.ehr.fhir}/Patient/{PATIENT}").json()["gender"]
    answer = Filling(app, visitor, "audit_c").send({"1": 3, "2": 0, "3": 0}, "score")
    expected = score_values(INSTRUMENTS["audit_c"], [3, 0, 0], sex=sex).severity
    assert expected == {"female": "positive (>=3)", "male": "negative"}[sex]
    assert f"AUDIT-C: 3 ({expected.replace('>', '&gt;')})" in answer.text


@pytest.mark.server
def test_what_the_ehr_refuses_is_said_and_not_doubled(phq9: Filling) -> None:
    responses, observations = phq9.counts()
    phq9.app.ehr.refuse_writes = ("QuestionnaireResponse",)
    answer = phq9.read(phq9.send(WHOLE))
    assert "The EHR refused the answers (403); nothing of it was saved" in answer.text
    assert phq9.counts() == (responses, observations)
    phq9.app.ehr.refuse_writes = ("Observation",)
    answer = phq9.read(phq9.send(WHOLE))
    assert "The answers are saved. The EHR refused the score (403)" in answer.text
    assert "Save to the EHR" not in answer.text
    assert phq9.counts() == (responses + 1, observations)


@pytest.mark.server
def test_what_may_or_may_not_be_saved_is_not_said_to_be_either(phq9: Filling) -> None:
    phq9.app.ehr.lose_writes = True
    before = phq9.counts()
    answer = phq9.send(WHOLE)
    assert "It is not known whether the EHR saved the answers" in answer.text
    assert "othing was saved" not in answer.text
    assert phq9.counts() == (before[0] + 1, before[1])


@pytest.mark.server
def test_a_form_that_is_sent_again_is_saved_once(phq9: Filling) -> None:
    responses, observations = phq9.counts()
    with ThreadPoolExecutor(4) as pool:
        texts = [each.text for each in pool.map(lambda _: phq9.send(WHOLE), range(4))]
    assert len({re.findall(r"Saved: (.*?)\.</p>", text)[0] for text in texts}) == 1
    assert not any("Save to the EHR" in text for text in texts)
    assert phq9.counts() == (responses + 1, observations + 1)
    changed = phq9.send(WHOLE | {"1": 3})
    assert "already saved with other answers" in changed.text
    assert phq9.counts() == (responses + 1, observations + 1)


@pytest.mark.server
def test_a_form_that_was_never_given_out_saves_nothing(phq9: Filling) -> None:
    before = phq9.counts()
    assert "This form has expired" in phq9.send(WHOLE, once="made-up").text
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        sent = phq9.visitor.post(phq9.address, data=phq9.fields | {"do": "save"}, headers=headers)
        assert sent.status_code == 403, "the right token is not enough"
    with httpx2.Client(follow_redirects=True, timeout=30) as other:
        theirs = Filling(phq9.app, other)
        for fields in (
            {"token": "wrong"},
            {"token": ""},
            {"token": theirs.fields["token"]},
            {"token": phq9.fields["token"] + "é"},
        ):
            answer = phq9.send(WHOLE, **fields)
            assert answer.status_code == 403
            assert "Open the app again" in answer.text
        assert other.post(phq9.address, data=phq9.fields | {"do": "save"}).status_code == 403
    assert phq9.visitor.post(phq9.address, content=b"q" * 100_000).status_code == 403
    assert phq9.counts() == before


@pytest.mark.server
@pytest.mark.parametrize(
    "scope",
    [
        "patient/*.rs",
        "patient/*.read",
        "patient/*.rs patient/Observation.c",
        "patient/*.rs patient/QuestionnaireResponse.write",
        "patient/*.rs patient/Observation.c?category=survey patient/QuestionnaireResponse.c",
        "patient/*.rus system/*.c",
    ],
)
def test_without_the_permission_nothing_is_saved(scope: str, app: App, visitor: httpx2.Client) -> None:
    app.ehr.token_changes = {"scope": scope}
    filling = Filling(app, visitor)
    before = filling.counts()
    shown = filling.read(filling.send(WHOLE, "score"))
    assert "Save to the EHR" not in shown.text
    assert "did not allow this app to save" in shown.text
    assert "Saved" not in filling.send(WHOLE).text
    assert filling.counts() == before
    assert not [each for each in app.ehr.asked if each.startswith("POST /fhir/") and not each.endswith("/_search")]


@pytest.mark.server
def test_a_site_can_leave_saving_out(app: App, visitor: httpx2.Client) -> None:
    with running_app(app.ehr, may_write=False) as other:
        filling = Filling(other, visitor)
        assert not re.search(r"\.c(\s|$)", app.ehr.authorizations[0]["scope"])
        assert "Save to the EHR" not in filling.send(WHOLE, "score").text


@pytest.mark.server
def test_what_is_unknown_is_a_page_and_no_fault(phq9: Filling) -> None:
    for name in ("no-such", "phq9%2f..", "%00", "../overview"):
        assert phq9.visitor.get(f"{phq9.view}/questionnaires/{name}").status_code in {200, 404}
