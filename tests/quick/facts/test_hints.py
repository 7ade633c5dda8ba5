"""Words without a code: what they suggest, and what is denied, about somebody else, or another meaning of the word."""

import re
from datetime import timedelta
from itertools import chain
from operator import itemgetter

import pytest
from pydantic import ValidationError

from fhir_plugin.facts.fact import Presence
from mappings.schema.base.words import any_found
from mappings.schema.codes.hints import TopicHint, letters_of
from mappings.schema.codes.value_sets import Topic
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, condition
from tests.support.knowledge.topics import LAST_WEEK, presence, words
from tests.support.shipped import shipped

_UNTIED = re.compile(r"(?:^|\|)(?:\[\^[^\]]+\]|\\w|\.)[*+]")


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("suicidality", "SI with plan"),
        ("suicidality", "Active SI"),
        ("suicidality", "passive SI"),
        ("suicidality", "SI/HI"),
        ("suicidality", "Endorses SI, no intent"),
        ("suicidality", "SI"),
        ("suicidality", "(SI)"),
        ("suicidality", "SI with plan, no significant other at home"),
        ("suicidality", "no HI; SI with plan"),
        ("suicidality", "No SI last week, now SI with plan"),
        ("suicidality", "Suicide attempt by overdose"),
        ("psychosis", "Schizophrenia"),
        ("psychosis", "Schizophrenia, FHx bipolar"),
        ("psychosis", "Schizophrenia; mother with bipolar"),
        ("psychosis", "Psychosis, mother has bipolar disorder"),
        ("psychosis", "Psychosis NOS, lives with mother"),
        ("psychosis", "Denies SI. Psychotic disorder"),
        ("psychosis", "Family history unknown; psychosis"),
        ("bipolar", "BD-II, hypomanic"),
        ("bipolar", "BD II"),
        ("bipolar", "BD2"),
        ("bipolar", "BP-II"),
        ("bipolar", "BPAD"),
        ("bipolar", "Hypomanic episode"),
        ("bipolar", "Bipolar, father with depression"),
        ("mania", "BD-II, hypomanic"),
        ("pregnancy", "14 weeks pregnant"),
        ("pregnancy", "Gravid uterus"),
        ("pregnancy", "Primigravida"),
        ("pregnancy", "IUP at 14w"),
        ("pregnancy", "G2P1 at 14w"),
        ("pregnancy", "G3 P2002, 22 weeks"),
        ("pregnancy", "EGA 12w3d"),
        ("pregnancy", "First trimester"),
        ("breastfeeding", "Exclusively breastfeeding"),
        ("breastfeeding", "Lactating"),
        ("seizure_event", "Convulsion at home"),
    ],
)
def test_words_suggest_a_topic(knowledge: Knowledge, topic: str, text: str) -> None:
    found = presence(knowledge, topic, words(text))
    assert found.possible
    assert not found.current
    assert {entry.name for entry in found.possible} == {knowledge.value_sets.topics[topic].title}


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("suicidality", "no SI"),
        ("suicidality", "No current SI"),
        ("suicidality", "No SI/HI"),
        ("suicidality", "no HI/SI"),
        ("suicidality", "no active or passive SI"),
        ("suicidality", "denies SI"),
        ("suicidality", "Denied SI/HI/AVH"),
        ("suicidality", "without SI"),
        ("suicidality", "SI: none"),
        ("suicidality", "SI negative"),
        ("suicidality", "negative for SI"),
        ("suicidality", "SI joint pain"),
        ("suicidality", "SI joint dysfunction"),
        ("suicidality", "Right SI pain"),
        ("suicidality", "Sacroiliac (SI) joint arthropathy"),
        ("suicidality", "Bilateral SI injections"),
        ("suicidality", "Values in SI units"),
        ("suicidality", "Sitting intolerance"),
        ("suicidality", "Silicosis"),
        ("suicidality", "Sinusitis, chronic"),
        ("psychosis", "FHx schizophrenia (brother)"),
        ("psychosis", "FH: schizophrenia"),
        ("psychosis", "FH - psychosis in sister"),
        ("psychosis", "F/H schizophrenia"),
        ("psychosis", "Family hx of schizophrenia"),
        ("psychosis", "Fam hx: psychosis"),
        ("psychosis", "Family history of schizophrenia"),
        ("psychosis", "Schizophrenia, family history"),
        ("psychosis", "Schizophrenia (brother)"),
        ("psychosis", "Brother has schizophrenia"),
        ("psychosis", "Mother with psychosis"),
        ("psychosis", "Schizophrenia in her mother"),
        ("bipolar", "Maternal grandmother with bipolar disorder"),
        ("bipolar", "BP 142/90"),
        ("bipolar", "Elevated BP, stage 2"),
        ("bipolar", "BPD"),
        ("seizure", "Family history of seizures"),
        ("pregnancy", "G2P2"),
        ("pregnancy", "8 weeks postpartum, G2P2"),
        ("pregnancy", "6 wks pp, G1P1"),
        ("pregnancy", "Back pain for 14 weeks"),
        ("breastfeeding", "Not breastfeeding"),
        ("breastfeeding", "No longer breastfeeding"),
        ("seizure_event", "Seizure-free"),
        ("seizure_event", "Electroconvulsive therapy"),
    ],
)
def test_words_that_are_denied_or_mean_something_else_suggest_nothing(
    knowledge: Knowledge, topic: str, text: str
) -> None:
    assert presence(knowledge, topic, words(text)) == Presence()


def coded(knowledge: Knowledge, topic: str, code: str, text: str) -> Presence:
    entry = condition(code, onsetDateTime=LAST_WEEK)
    entry["code"]["text"] = text
    return presence(knowledge, topic, entry)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Cirrhosis, compensated, Child-Pugh A", ""),
        ("Cirrhosis, Child Pugh class B", ""),
        ("Cirrhosis (CTP A5)", ""),
        ("Cirrhosis, Child-Turcotte-Pugh class C", "current"),
        ("Decompensated cirrhosis", "current"),
        ("Cirrhosis with ascites", "current"),
        ("Cirrhosis with hepatic encephalopathy", "current"),
        ("Cirrhosis without ascites", "possible"),
        ("Cirrhosis", "possible"),
        ("Cirrhosis, not compensated", "possible"),
        ("Cirrhosis, formerly decompensated, now Child-Pugh A", "possible"),
        ("", "possible"),
    ],
)
def test_words_beside_a_code_settle_how_severe_a_cirrhosis_is(knowledge: Knowledge, text: str, place: str) -> None:
    found = coded(knowledge, "severe_liver_disease", "K74.60", text)
    assert [name for name in ("current", "past", "possible") if getattr(found, name)] == ([place] if place else [])
    assert coded(knowledge, "cirrhosis", "K74.60", text).current


def test_words_never_weaken_a_code_that_settles_it_alone(knowledge: Knowledge) -> None:
    assert coded(knowledge, "severe_liver_disease", "K72.90", "compensated").current


@pytest.mark.parametrize("status", ["active", "resolved", "inactive", None])
@pytest.mark.parametrize(
    ("topic", "code"), [("suicidality", "T14.91XA"), ("suicidality", "X78.9XXA"), ("seizure_event", "R56.9")]
)
def test_an_event_of_last_week_counts_whatever_its_status(
    knowledge: Knowledge, topic: str, code: str, status: str | None
) -> None:
    entry = condition(code, status=status, onsetDateTime=LAST_WEEK)
    found = presence(knowledge, topic, entry)
    assert found.current


@pytest.mark.parametrize(
    ("status", "days", "places"),
    [
        ("active", 30, ["current"]),
        ("active", 31, ["past", "possible"]),
        ("resolved", 31, ["past"]),
        ("resolved", None, ["past", "possible"]),
    ],
)
def test_an_event_of_long_ago_does_not_count_as_current(
    knowledge: Knowledge, status: str, days: int | None, places: list[str]
) -> None:
    when = {} if days is None else {"onsetDateTime": (AS_OF - timedelta(days=days)).isoformat()}
    entry = condition("82313006", system="http://snomed.info/sct", status=status, **when)
    found = presence(knowledge, "suicidality", entry)
    assert [name for name in ("current", "past", "possible") if getattr(found, name)] == places


def test_suicidal_ideation_that_was_closed_is_past(knowledge: Knowledge) -> None:
    entry = condition("R45.851", status="resolved", onsetDateTime=LAST_WEEK)
    found = presence(knowledge, "suicidality", entry)
    assert found.past
    assert not found.current


def test_no_pattern_looks_from_each_letter_of_a_long_text_to_its_end(knowledge: Knowledge) -> None:
    """One that begins with any text is tied to a place; else a text of 20 kB takes half a minute."""
    hints = knowledge.value_sets.hints
    context = hints.context
    patterns = [context.backward, context.about_others, context.limited, *(hint.left_out for hint in hints.hints)]
    assert [pattern.pattern for pattern in patterns if pattern and _UNTIED.search(pattern.pattern)] == []


@pytest.mark.parametrize(
    "text",
    [
        "family history",
        "psychosis (mother)",
        "stroke in his father",
        "bipolar disorder, fhx",
        "mother with epilepsy",
        "lives with mother",
        "low back pain",
        "",
    ],
)
def test_words_about_others_are_found_before_what_precedes_them(knowledge: Knowledge, text: str) -> None:
    context = knowledge.value_sets.hints.context
    assert context.about_others is not None
    assert any_found(context.others, text) is bool(context.about_others.search(text))


def test_a_fragment_of_a_topic_is_not_too_short(knowledge: Knowledge) -> None:
    topic = knowledge.value_sets.topics["seizure"].model_dump()
    with pytest.raises(ValidationError, match=r"hints\.0"):
        Topic.model_validate(topic | {"hints": ("si",)})


def test_no_hint_is_passed_over_by_the_letters_of_a_clause() -> None:
    """For some abbreviations and fragments, alone and among others: the same as where every hint is looked at."""
    hints = shipped().value_sets.hints
    every = (*hints.hints, *(hint for _, hint in sorted(chain(*hints.abbreviated.values()), key=itemgetter(0))))
    shorts = {re.sub(r"\(\?[^)]*\)|\\", "", hint.pattern.pattern) for hint in every if hint.pattern and not hint.pieces}
    pieces = {piece for hint in every for piece in hint.pieces}
    for word in sorted(shorts)[::8] + sorted(pieces)[::40]:
        for text in (word, f"x {word}; no current {word}/a"):
            found = [hint for hint in every if any(_is_in(hint, *clause) for clause in hints.context.clauses(text))]
            if not hints._says_nothing(text):
                assert {sense.topic for sense in hints.senses(text)} == {hint.sense.topic for hint in found}, text


def _is_in(hint: TopicHint, ever: str, now: str) -> bool:
    clause = ever if hint.lasting else now
    return hint.is_in(clause, letters_of(clause))
