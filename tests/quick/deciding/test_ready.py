"""What is worked out once belongs to one knowledge: a rule that was changed is never answered by the old one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from fhir_plugin.deciding.assess import assess_criterion
from fhir_plugin.deciding.decide import decide, decide_for
from fhir_plugin.deciding.finding import Doubt, Finding, Verdict
from fhir_plugin.deciding.plan import ProtocolPlans
from fhir_plugin.deciding.ready import MOST_OF_NOTHING, ReadyCriteria
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.facts.fact import Count, Evidence, Fact, FactValue, Presence
from fhir_plugin.record.dates import DaySpan
from mappings.schema.knowledge import Knowledge
from tests.support.knowledge.charts import AS_OF, chart, condition, patient, pressure

AGE, IMPLANT, METAL, SCREEN = "person.age", "implant.head_neck", "conditions.implant_head_neck", "screens.tms_metal"


def finding(knowledge: Knowledge, criterion: str, **values: FactValue | None) -> Finding:
    """The finding of a criterion from facts, by the last part of their names."""
    chosen = knowledge.criteria[criterion]
    facts = {name: Fact(name=name, value=values[name.rpartition(".")[2]], looked_in=(name,)) for name in chosen.facts}
    asked_by = chosen.asked.facts if chosen.asked else ()
    facts |= {name: Fact(name=name, value=None) for name in asked_by}
    return assess_criterion(chosen, facts, AS_OF, knowledge)


def test_what_is_made_of_a_knowledge_is_made_once_and_a_changed_one_makes_its_own(knowledge: Knowledge) -> None:
    assert knowledge.once(ReadyCriteria) is knowledge.once(ReadyCriteria)
    assert knowledge.once(ReadyCriteria) is not knowledge.once(ProtocolPlans)
    assert replace(knowledge).once(ReadyCriteria) is not knowledge.once(ReadyCriteria)


def test_a_criterion_with_another_number_is_assessed_by_that_number(knowledge: Knowledge) -> None:
    ours = knowledge.criteria["age.adult"]
    assert ours.limit is not None
    older = ours.model_copy(update={"limit": ours.limit.model_copy(update={"value": 40}), "local": True})
    thirty = Count(low=30, high=30, unit="a")
    assert finding(knowledge, "age.adult", age=thirty).verdict is Verdict.MET
    for local in (replace(knowledge, criteria={**knowledge.criteria, older.id: older}), knowledge):
        made = assess_criterion(older, {AGE: Fact(name=AGE, value=thirty)}, AS_OF, local)
        assert made.verdict is Verdict.NOT_MET
        assert made.because.endswith(f"below 40 years. {knowledge.wording.local}")
    assert finding(knowledge, "age.adult", age=thirty).verdict is Verdict.MET


def test_a_protocol_in_which_a_clause_is_left_out_is_weighed_without_it(knowledge: Knowledge) -> None:
    decision = decide(chart(patient()), knowledge, as_of=AS_OF)
    ours = knowledge.protocols[knowledge.protocol]
    shorter = ours.model_copy(update={"clauses": ours.clauses[1:]})
    for protocol in (shorter, ours):
        made = recommend(decision.findings, protocol, knowledge)
        weighed = {each.clause.criterion for answer in made.treatments for each in answer.weighed}
        assert weighed == {clause.criterion for clause in protocol.clauses}


def test_of_several_facts_each_that_decides_gives_its_reason(knowledge: Knowledge) -> None:
    words = knowledge.sentences[IMPLANT]
    nothing = finding(knowledge, IMPLANT, implant_head_neck=Presence(), tms_metal=Presence())
    assert (nothing.verdict, nothing.doubt) == (Verdict.UNKNOWN, Doubt.ASK)
    assert nothing.because == words[METAL].not_asked
    assert nothing.looked_in == (METAL, SCREEN)
    one = Evidence(reference="Condition/1", name="aneurysm clip", day=DaySpan(AS_OF, AS_OF))
    there = finding(knowledge, IMPLANT, implant_head_neck=Presence(current=(one,)), tms_metal=None)
    assert (there.verdict, there.doubt, there.missing) == (Verdict.MET, None, ())
    assert there.because == words[METAL].met.format(when=f" ({AS_OF})")
    assert (there.phrase, there.value, there.day) == ("aneurysm clip", "aneurysm clip", one.day)


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("{names}{when}", "psychosis 29 May"),
        ("{names}{ago}", "psychosis 3 days ago"),
        ("{names}{dated}", "psychosis (29 May)"),
        ("{names}{noted}", "psychosis (noted 3 days ago)"),
        ("{pair}{value}{limit}", "psychosis"),
    ],
)
def test_a_phrase_tells_the_day_as_it_asks_for_it(knowledge: Knowledge, field: str, told: str) -> None:
    day = AS_OF - timedelta(days=3)
    ours = knowledge.criteria["psychosis.ever"]
    changed = ours.model_copy(update={"phrases": ours.phrases.model_copy(update={"met": field})})
    entry = Evidence(reference="Condition/1", name="psychosis", day=DaySpan(day, day))
    facts = {name: Fact(name=name, value=Presence(past=(entry,))) for name in ours.facts}
    assert assess_criterion(changed, facts, AS_OF, knowledge).phrase == told


def test_other_orders_change_what_is_said_and_not_where_a_treatment_stands(knowledge: Knowledge) -> None:
    record = chart(patient(), condition("F33.1"), condition("Z96.21", id="implant"), pressure(150, 95, "2026-05-30"))
    for before, after in (((), ("tms",)), (("ketamine", "tms"), ("esketamine",)), (("tms",), ())):
        made = decide_for(decide(record, knowledge, as_of=AS_OF, ordered=before), knowledge, after)
        anew = decide(record, knowledge, as_of=AS_OF, ordered=after)
        assert made.recommendation == anew.recommendation
        assert made.beside == anew.beside
        assert made.recommendation.ordered == after


def test_beside_the_chosen_protocol_stand_all_others(knowledge: Knowledge) -> None:
    record = chart(patient(), condition("F33.1"), pressure(120, 80, "2026-05-30"))
    for chosen in knowledge.protocols:
        made = decide(record, knowledge, as_of=AS_OF, protocol=chosen, ordered=("tms",))
        others = [each for name, each in knowledge.protocols.items() if name != chosen]
        assert list(made.beside) == [recommend(made.findings, each, knowledge, ("tms",)) for each in others]


def test_a_finding_from_nothing_says_where_it_was_looked_for_in_this_record(knowledge: Knowledge) -> None:
    ours = knowledge.criteria["psychosis.ever"]
    made = [
        assess_criterion(
            ours, {name: Fact(name=name, value=Presence(), looked_in=(place,)) for name in ours.facts}, AS_OF, knowledge
        )
        for place in ("conditions (3)", "conditions (4)", "conditions (3)")
    ]
    assert [each.looked_in for each in made] == [("conditions (3)",), ("conditions (4)",), ("conditions (3)",)]
    assert made[0] == made[2]


def test_a_finding_from_nothing_says_what_is_missing_in_this_record(knowledge: Knowledge) -> None:
    ours = knowledge.criteria["psychosis.ever"]
    for count in range(2 * MOST_OF_NOTHING):
        gap = f"{count} entries without words"
        facts = {name: Fact(name=name, value=Presence(), missing=(gap,), unread=("conditions",)) for name in ours.facts}
        made = assess_criterion(ours, facts, AS_OF, knowledge)
        assert (made.verdict, made.doubt, made.missing) == (Verdict.UNKNOWN, Doubt.UNREAD, (gap,))
        assert gap in made.because
    assert len(knowledge.once(ReadyCriteria).of(ours).of_nothing) <= MOST_OF_NOTHING


def test_what_is_on_the_record_is_never_kept(knowledge: Knowledge) -> None:
    ours, ready = knowledge.criteria["psychosis.ever"], knowledge.once(ReadyCriteria)
    before = dict(ready.of(ours).of_nothing)
    entry = Evidence(reference="Condition/1", label="a text of the record", name="psychosis")
    for value in (Presence(current=(entry,)), Presence(possible=(entry,)), Presence()):
        facts = {name: Fact(name=name, value=value, evidence=(entry,), missing=("seen",)) for name in ours.facts}
        assert assess_criterion(ours, facts, AS_OF, knowledge).evidence == (entry,)
    assert ready.of(ours).of_nothing == before
