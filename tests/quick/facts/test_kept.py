"""What is kept of names and codes from one record for the next changes no answer, and cannot be made large."""

from collections.abc import Callable

import pytest

from fhir_plugin.facts.conditions import read_conditions
from fhir_plugin.record.resources import QuestionnaireResponse
from fhir_plugin.scales import recognition
from fhir_plugin.scales.recognition import AnsweredItem, recognise
from mappings.schema.base.kept import MOST_LETTERS_KEPT, Kept, KeptByName
from mappings.schema.codes.hints import TopicHints
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, chart, condition
from tests.support.knowledge.topics import words

PHQ9 = ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8")


def counted() -> tuple[Callable[[str], str | None], list[str]]:
    read: list[str] = []

    def once(name: str) -> str | None:
        read.append(name)
        return name.upper() if name else None

    return once, read


def test_a_name_is_read_once_even_if_it_means_nothing() -> None:
    kept, (read, seen) = KeptByName[str | None](), counted()
    assert [kept.of("a", read), kept.of("", read), kept.of("a", read), kept.of("", read)] == ["A", None, "A", None]
    assert seen == ["a", ""]


def test_a_long_name_is_read_each_time() -> None:
    kept, (read, seen) = KeptByName[str | None](), counted()
    long = "x" * (MOST_LETTERS_KEPT + 1)
    assert kept.of(long, read) == kept.of(long, read) == long.upper()
    assert seen == [long, long]
    assert not len(kept)


def test_what_is_kept_begins_anew_when_it_is_full() -> None:
    kept, (read, _) = Kept[str, str | None](len, most=2), counted()
    for name in ("a", "b", "c"):
        kept.of(name, read)
    assert len(kept) == 1


@pytest.fixture
def hints(knowledge: Knowledge) -> TopicHints:
    return knowledge.value_sets.hints


def test_a_problem_is_kept_by_its_name(knowledge: Knowledge, hints: TopicHints) -> None:
    before = len(hints._of_names)
    for _ in range(2):
        read_conditions(chart(words("a seizure of a kind never named before")), knowledge, AS_OF)
    assert len(hints._of_names) == before + 1


def test_a_note_is_not_kept(knowledge: Knowledge, hints: TopicHints) -> None:
    before = len(hints._of_names)
    entry = condition("I10") | {"note": [{"text": "had a seizure on a day never named before"}]}
    facts = read_conditions(chart(entry), knowledge, AS_OF).facts()
    assert facts["conditions.seizure"].evidence
    assert len(hints._of_names) == before


@pytest.mark.parametrize(("place", "more"), [("note", 0), ("dosageInstruction", 1)])
def test_what_a_note_of_an_order_gives_as_a_reason_is_not_kept(
    knowledge: Knowledge, hints: TopicHints, place: str, more: int
) -> None:
    before = len(hints._of_names)
    order = {"resourceType": "MedicationRequest", "id": "m", "status": "active", "authoredOn": "2026-05-01"}
    said = [{"text": f"daily for seizures that only a {place} ever named"}]
    facts = read_conditions(chart(order | {place: said}), knowledge, AS_OF).facts()
    assert facts["conditions.seizure"].evidence
    assert len(hints._of_names) == before + more


def test_a_form_is_recognised_once_for_all_responses_of_its_layout(
    knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognition._recognised_before.cache_clear()
    before = recognise(QuestionnaireResponse(), answered(), knowledge.instruments, None)
    monkeypatch.setattr(recognition, "_recognised", None)
    assert recognise(QuestionnaireResponse(), answered(), knowledge.instruments, None) == before
    with pytest.raises(TypeError):
        recognise(QuestionnaireResponse(), answered()[:-1], knowledge.instruments, None)


def answered() -> list[AnsweredItem]:
    return [AnsweredItem(f"/{code}", ()) for code in PHQ9]
