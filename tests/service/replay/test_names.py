"""No name of a person is left in a text, whatever words it is made of, and however it is joined to others."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from types import FrameType

import pytest

from cds_hooks.replay.wording import TextRedaction
from mappings.schema.codes.vocabulary import Vocabulary, load_vocabulary
from tests.support.replay.names import LOCALES, OTHERS, people

NOBODY = "Quibblethorpe"
"""A name that no list holds: what is left of a text with any other name is what is left with this one."""
LETTERS = re.compile(r"[^\W\d_]+")
FEWEST_NAMES, FEWEST_FORMS = 2000, 200
SENTENCES = (
    "{}",
    "{} reports nausea",
    "Mrs {} stopped sertraline",
    "Dr. {} increased the dose",
    "seen by {}, then 50 mg daily",
    "Take 1 tablet daily, says {}. No seizure",
    "{}, Quibble: allergy to ketamine",
    "Quibble {} denies suicidal thoughts",
    "Dott.ssa {} increased the dose",
    "Dr. med. {}: 50 mg daily",
    "Hr. {} takes 1 tablet",
    "mail {}.quibble@mail.example daily",
    "see https://mail.example/{}/depression",
)
IN_CAPITALS = ("{} REPORTS NAUSEA", "SEEN BY DR {}", "QUIBBLE {}, DEPRESSION")
IN_SMALL_LETTERS = ("mrs {} stopped sertraline", "told dr. {} of nausea")


@cache
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@cache
def wording() -> TextRedaction:
    return TextRedaction(vocabulary())


def left(text: str) -> str:
    """What is kept of a text; removed words in a row, and the signs between them, count as one."""
    return re.sub(r"zz(?:[\s.,'-]*zz)*", "zz", wording().without_names(text))


@cache
def names() -> tuple[str, ...]:
    """Every name of the United States, every name with a word that the knowledge reads, and some of all others."""
    every = sorted({name for locale in LOCALES for kind in people(locale) for name in kind} | set(OTHERS))
    usual = {name for kind in people("en_US") for name in kind}
    read = {name for name in every if any(vocabulary().holds(part) for part in LETTERS.findall(name.lower()))}
    titles = vocabulary().rules.titles  # behind "Doctor" the next word goes as well
    return tuple(sorted({*usual, *read, *OTHERS, *every[::25]} - titles))


def test_there_are_enough_names() -> None:
    assert len(names()) >= FEWEST_NAMES
    assert {"Oliver", "White", "Day", "May", "Good", "Graves", "Weeks", "Till", "Per"} <= set(names())


@pytest.mark.parametrize("sentence", SENTENCES)
def test_no_name_is_left(sentence: str) -> None:
    assert remaining(sentence, str) == []


@pytest.mark.parametrize("sentence", IN_CAPITALS)
def test_no_name_in_capitals_is_left(sentence: str) -> None:
    assert remaining(sentence, str.upper) == []


@pytest.mark.parametrize("sentence", IN_SMALL_LETTERS)
def test_no_name_in_small_letters_is_left_behind_a_title(sentence: str) -> None:
    assert remaining(sentence, str.lower) == []


def remaining(sentence: str, spelt: Callable[[str], str]) -> list[str]:
    """The names of which something is left. Of a name of several words, its particles may be."""
    nobody = left(sentence.format(spelt(NOBODY)))
    of_the_sentence = {part.lower() for part in LETTERS.findall(sentence)} | vocabulary().rules.particles | {"the"}
    found = []
    for name in names():
        if LETTERS.fullmatch(name):
            same = left(sentence.format(spelt(name))) == nobody
        else:
            parts = {part.lower() for part in LETTERS.findall(name) if len(part) > 2} - of_the_sentence
            same = parts.isdisjoint(LETTERS.findall(left(sentence.format(spelt(name))).lower()))
        found += [] if same else [name]
    return found


GIVEN = ("John", "Grace", "Zoë", "April", "Jürgen")
FAMILY = ("Oliveri", "White", "Day", "Brien", "Head", "Good", "Long", "Müller", "Nguyễn", "Painter")
FORMS = (
    "{0}{1}",
    "{0}_{1}",
    "{0}-{1}",
    "{0}.{1}@mail.example",
    "pt_{0}{1}_MRN8675309_allergy",
    "{0}{1}1951allergic",
    "{1}-Allergy noted by {0}",
    "O'{1}-Allergy, {0}",
    "D’{1}-seizure",
    "Mc{1}, {0}",
    "Mac{1} and {0}-Mae {1}",
    "150mg{1}",
    "{1}50mg of {0}",
    "{0}'s and {1}'s allergy",
    "Dr. J.R. van der {1}, for {0}",
    "depression{1}{0}",
    "{1}/{0} daily",
    "allergy_{1}",
)
JOINED = [form.format(given, family) for form in FORMS for given in GIVEN for family in FAMILY]
JOINED += [form.upper() for form in JOINED]


def test_there_are_enough_joined_forms() -> None:
    assert len(set(JOINED)) >= FEWEST_FORMS


def test_no_joined_name_is_left() -> None:
    parts = {part.lower() for part in (*GIVEN, *FAMILY, "Mae")}
    kept = {form: set(LETTERS.findall(wording().without_names(form).lower())) for form in JOINED}
    assert {form: words & parts for form, words in kept.items() if words & parts} == {}
    assert not [form for form in JOINED if re.search(r"8675309|1951", wording().without_names(form))]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Mrs Oliveri and Dr Romaniak", "zz zz and zz zz"),
        ("pt_JohnDoe_MRN8675309_allergy", "zz"),
        ("Mrs White", "zz zz"),
        ("white tablet", "white tablet"),
        ("Grace Day", "zz zz"),
        ("Take 1 Tablet Every Day", "Take 1 Tablet Every Day"),
        ("DULOXETINE DR CAPSULE", "DULOXETINE DR CAPSULE"),
        ("TIA in 2019, epilepsy", "TIA in zz, epilepsy"),
        ("Tia had a seizure", "zz had a seizure"),
        ("head injury, seen by Dr. Head", "head injury, seen by zz. zz"),
        ("HEAD INJURY", "HEAD INJURY"),
        ("J. White", "zz. zz"),
        ("A. Day", "zz. zz"),
        ("M/W/F", "M/W/F"),
        ("PHQ-9 total", "PHQ-9 total"),
        ("q4h x3 days, 150mg", "q4h x3 days, 150mg"),
        ("seen on 12/31/2025 at 14:35", "seen on zz at zz"),
        ("93 year old with epilepsy", "90+ year old with epilepsy"),
        ("aged 101, epilepsy", "aged 90+, epilepsy"),
        ("89 year old with epilepsy", "89 year old with epilepsy"),
        ("for 95 days", "for 95 days"),
        ("every 24 Hr, Hr. Pace", "every 24 Hr, zz. zz"),
        ("Drs. Heard and Worth, Prof. Dr. rer. nat. Tablet", "zz. zz and zz, zz. zz. zz. zz. zz"),
        ("seizure on July 3, 2024", "seizure on July zz, zz"),
        ("seizure on the 3rd of July", "seizure on the zz of July"),
        ("TMS since 12-Dec-2025", "TMS since zz"),
        ("1 tablet daily October to March", "1 tablet daily October zz zz"),
        ("call 555-123-4567", "call zz"),
        ("call (555) 123-4567 or 030 12 34 56", "call (zz) zz or zz zz zz zz"),
        ("patient 4711, seen at 0815", "patient zz, seen at zz"),
        ("take 1500 mg, 2000 units", "take 1500 mg, 2000 units"),
        ("seen on 3/5 and 4/6/24, 2/3 tablet", "seen on zz and zz, 2/3 tablet"),
        ("since the 94th year", "since the 90+th year"),
        ("by john.day@mail.example, www.day.example", "by zz, zz"),
        ("Both\u00adam, Both\u200bam, Both\u0334am; Both*am", "zz, zz, zz; Both am"),
        ("ＤＡＹ, Dаy, 𝐃𝐚𝐲 and ſee", "zz, zz, zz and zz"),
    ],
)
def test_what_is_kept_and_what_goes(text: str, kept: str) -> None:
    assert wording().without_names(text) == kept


@pytest.mark.parametrize(
    "piece",
    [
        "Dr ",
        "White ",
        "a-",
        "Mrs. van ",
        "1/",
        "Day, ",
        "TIA ",
        "and ",
        "Monday and ",
        "x_",
        "a@",
        "a.a",
        "July 3 ",
        "555 ",
    ],
)
def test_the_work_grows_with_the_length_and_no_faster(piece: str) -> None:
    assert calls(piece * 800) < 2.2 * calls(piece * 400)


def calls(text: str) -> int:
    """How many functions the de-identification of a text calls and goes on with."""
    counted = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal counted
        counted += 1

    without_names = wording().without_names
    sys.setprofile(count)
    try:
        without_names(text)
    finally:
        sys.setprofile(None)
    return counted
