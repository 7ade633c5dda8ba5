"""How findings become a standing: what is unknown never lets a treatment through."""

import itertools

import pytest

from fhir_plugin.deciding.finding import Doubt, Finding, Verdict
from fhir_plugin.deciding.recommend import Recommendation, recommend
from fhir_plugin.deciding.standing import Standing
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import Role

PROTOCOL = "safer_reading"


def findings(knowledge: Knowledge, **verdicts: Verdict) -> list[Finding]:
    """Findings in which all that is required is met and nothing speaks against, but for what is named."""
    roles = {clause.criterion: clause.role for clause in knowledge.protocols[PROTOCOL].clauses}
    needed = (Role.REQUIRED, Role.EXPECTED)
    kind = {name: Verdict.MET if role in needed else Verdict.NOT_MET for name, role in roles.items()}
    kind |= {name.replace("__", "."): verdict for name, verdict in verdicts.items()}
    return [
        Finding(
            criterion=name,
            verdict=verdict,
            because="",
            doubt=Doubt.UNREAD if verdict is Verdict.UNKNOWN else None,
            missing=("m",) if verdict is Verdict.UNKNOWN else (),
        )
        for name, verdict in kind.items()
    ]


def weigh(knowledge: Knowledge, *ordered: str, **verdicts: Verdict) -> Recommendation:
    return recommend(findings(knowledge, **verdicts), knowledge.protocols[PROTOCOL], knowledge, ordered)


def standing(recommendation: Recommendation, treatment: str) -> Standing:
    return next(answer.standing for answer in recommendation.treatments if answer.treatment == treatment)


def test_all_met_is_met(knowledge: Knowledge) -> None:
    assert weigh(knowledge).verdict is Standing.MET


@pytest.mark.parametrize(
    ("psychosis", "trials", "expected"),
    [
        (Verdict.MET, Verdict.NOT_MET, Standing.CONTRAINDICATED),
        (Verdict.MET, Verdict.UNKNOWN, Standing.CONTRAINDICATED),
        (Verdict.UNKNOWN, Verdict.NOT_MET, Standing.NOT_MET),
        (Verdict.UNKNOWN, Verdict.MET, Standing.UNKNOWN),
        (Verdict.NOT_MET, Verdict.UNKNOWN, Standing.UNKNOWN),
        (Verdict.NOT_MET, Verdict.NOT_MET, Standing.NOT_MET),
        (Verdict.NOT_MET, Verdict.MET, Standing.MET),
    ],
)
def test_precedence(knowledge: Knowledge, psychosis: Verdict, trials: Verdict, expected: Standing) -> None:
    assert weigh(knowledge, psychosis__ever=psychosis, trials__two_failed=trials).verdict is expected


def test_a_contraindication_holds_for_its_treatments_only(knowledge: Knowledge) -> None:
    answer = weigh(knowledge, implant__head_neck=Verdict.MET)
    assert standing(answer, "tms") is Standing.CONTRAINDICATED
    assert standing(answer, "combination") is Standing.CONTRAINDICATED
    assert standing(answer, "ketamine") is Standing.MET


def test_what_is_ordered_decides_the_verdict(knowledge: Knowledge) -> None:
    implant = {"implant__head_neck": Verdict.MET}
    assert weigh(knowledge, "ketamine", **implant).verdict is Standing.MET
    assert weigh(knowledge, "tms", **implant).verdict is Standing.CONTRAINDICATED
    assert weigh(knowledge, "ketamine", "tms", **implant).verdict is Standing.CONTRAINDICATED
    assert weigh(knowledge, "music").ordered == ()


@pytest.mark.parametrize("verdict", list(Verdict))
def test_context_decides_nothing(knowledge: Knowledge, verdict: Verdict) -> None:
    protocol = knowledge.protocols[PROTOCOL]
    context = {
        clause.criterion.replace(".", "__"): verdict for clause in protocol.clauses if clause.role is Role.CONTEXT
    }
    for clause in protocol.clauses:  # what is context for one treatment may decide about another
        if clause.role is not Role.CONTEXT:
            context.pop(clause.criterion.replace(".", "__"), None)
    assert weigh(knowledge, **context).verdict is Standing.MET


def test_a_caution_that_is_present_or_unknown_never_gives_met(knowledge: Knowledge) -> None:
    protocol = knowledge.protocols[PROTOCOL]
    for clause, verdict in itertools.product(protocol.clauses, (Verdict.MET, Verdict.UNKNOWN)):
        if clause.role is Role.CAUTION:
            answer = weigh(knowledge, **{clause.criterion.replace(".", "__"): verdict})
            for treatment in clause.treatments:
                assert standing(answer, treatment) is not Standing.MET


def test_no_unknown_that_decides_ever_gives_met(knowledge: Knowledge) -> None:
    protocol = knowledge.protocols[PROTOCOL]
    decisive = [c for c in protocol.clauses if c.role in (Role.REQUIRED, Role.CONTRAINDICATION, Role.HOLD)]
    for clause, others in itertools.product(decisive, ({}, {"age__adult": Verdict.NOT_MET})):
        verdicts = others | {clause.criterion.replace(".", "__"): Verdict.UNKNOWN}
        answer = weigh(knowledge, **verdicts)
        for treatment in clause.treatments:
            assert standing(answer, treatment) is not Standing.MET


def test_what_is_unknown_is_asked_for_once_each(knowledge: Knowledge) -> None:
    answer = weigh(knowledge, blood_pressure__hold=Verdict.UNKNOWN, blood_pressure__crisis=Verdict.UNKNOWN)
    assert [ask.datum for ask in answer.asks] == ["blood_pressure"]
    assert answer.missing == ("m",)


def test_a_view_of_the_chart_speaks_of_eligibility_and_of_suicide_only(knowledge: Knowledge) -> None:
    assert weigh(knowledge).actionable
    assert not weigh(knowledge, depression__current=Verdict.NOT_MET).actionable
    assert not weigh(knowledge, trials__two_failed=Verdict.UNKNOWN).actionable
    assert not weigh(knowledge, psychosis__ever=Verdict.MET).actionable
    assert not weigh(knowledge, severity__moderate=Verdict.NOT_MET).actionable
    assert weigh(knowledge, psychosis__ever=Verdict.MET, suicidality__current=Verdict.MET).actionable


def test_conflicts_are_shown_where_they_matter(knowledge: Knowledge) -> None:
    under_way = {"treatment__tms_under_way": Verdict.MET}
    topics = {conflict.topic for conflict in weigh(knowledge, **under_way).conflicts}
    assert knowledge.conflicts["timing"].topic in topics
    assert knowledge.conflicts["suicidal_ideation"].topic not in topics
    topics = {conflict.topic for conflict in weigh(knowledge, "tms", suicidality__current=Verdict.MET).conflicts}
    assert knowledge.conflicts["suicidal_ideation"].topic in topics
    assert knowledge.conflicts["timing"].topic not in topics


def test_there_are_sixteen_conflicts(knowledge: Knowledge) -> None:
    assert len(knowledge.conflicts) == 16


def test_a_protocol_says_what_it_does_about_a_conflict(knowledge: Knowledge) -> None:
    timing = {
        name: next(each for each in conflicts if each.topic == knowledge.conflicts["timing"].topic).resolution
        for name, conflicts in knowledge.resolved_conflicts.items()
    }
    assert timing["safer_reading"] == knowledge.conflicts["timing"].resolution
    assert timing["concurrent"] == knowledge.protocols["concurrent"].resolutions["timing"]
    assert len(set(timing.values())) == 3
