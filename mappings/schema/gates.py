"""No rule reassures because it is empty, or because its number leaves it only one answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mappings.schema.base.entries import KnowledgeError, Number
from mappings.schema.codes.value_sets import Meaning, ValueSets
from mappings.schema.knowledge import Knowledge
from mappings.schema.rules.criteria import BY_COMPONENT, Comparator, Criterion, FactKind
from mappings.schema.rules.protocols import Protocol, Role

OLDEST_DAYS = 366
"""How old a measurement may be at most, whoever sets ``max_age_days``: an older one says nothing of today."""

_NEEDED = {Role.REQUIRED: "nothing would have to be met for it", Role.CONTRAINDICATION: "nothing would forbid it"}
"""What every treatment needs; a card says that all of the one are met and that none of the other was found."""


def check_gates(knowledge: Knowledge, site: str = "") -> None:
    """Raise :class:`KnowledgeError` for the first rule that could let a treatment through unasked.

    ``site`` is the name of the site's file, which is at fault where a number is the site's own.
    """
    for protocol in knowledge.protocols.values():
        _check_treatments(protocol)
        _check_pathways(protocol)
        _check_parameters(protocol, knowledge.orders.words.weight_max_age, site)
    for criterion in knowledge.criteria.values():
        _check_numbers(criterion, knowledge, f"{criterion.id}.yaml: ", f"{site}: criteria.{criterion.id}.")
    for policy in knowledge.payers.policies.values():
        for item, comparison in policy.comparisons.items():
            _check_numbers(comparison, knowledge, f"{policy.id}.yaml: items: {item}: ", "")
    _check_topics(knowledge.value_sets)


def _check_treatments(protocol: Protocol) -> None:
    for treatment in protocol.treatments:
        roles = {clause.role for clause in protocol.clauses if treatment in clause.treatments}
        for role, so in _NEEDED.items():
            if role not in roles:
                raise KnowledgeError(
                    f"{protocol.id}.yaml: treatments: {treatment!r} has no clause with role {role.value}, "
                    f"so that {so}: add one to clauses, or leave the treatment out"
                )


def _check_pathways(protocol: Protocol) -> None:
    for name, pathway in protocol.pathways.items():
        if not pathway.criteria:
            raise KnowledgeError(
                f"{protocol.id}.yaml: pathways.{name}: has no condition, so that it would fit everybody: "
                "name criteria in all_of, any_of or none_of"
            )


def _check_parameters(protocol: Protocol, weight_max_age: str, site: str) -> None:
    for name, parameter in protocol.parameters.items():
        where = f"{site}: parameters.{protocol.id}" if parameter.local else f"{protocol.id}.yaml: parameters"
        if not parameter.is_positive_range:
            raise KnowledgeError(f"{where}.{name}: an order needs a number above 0, or a range from lower to higher")
        if name == weight_max_age and parameter.low > OLDEST_DAYS:
            raise KnowledgeError(
                f"{where}.{name}: {parameter.low:g} {parameter.unit}: a weight would be dosed by whatever its age; "
                f"allowed is up to {OLDEST_DAYS}"
            )


def _check_topics(value_sets: ValueSets) -> None:
    """A topic without codes would be found on no record, which reads as its absence."""
    coded = {value_set.topic for value_set in value_sets.sets if value_set.current or value_set.past}
    for name in value_sets.topics:
        if name not in coded:
            raise KnowledgeError(
                f"topics.yaml: topics.{name}: no value set has codes under {Meaning.CURRENT} or {Meaning.PAST} for it: "
                "add one beside topics.yaml, or leave the topic out"
            )


# Numbers


class _Limit(NamedTuple):
    """One limit, with the fact that is held against it and the least and the most that the fact can be."""

    key: str
    number: Number
    fact: str
    low: float
    high: float


def _check_numbers(criterion: Criterion, knowledge: Knowledge, ours: str, theirs: str) -> None:
    """``ours`` and ``theirs`` begin the message: the file, and the key in it, for our numbers and for the site's."""
    for key, number, fact, low, high in _limits(criterion, knowledge):
        lowest_excluded = criterion.compare in _INCLUDES_LIMIT
        fits = low < number.value <= high if lowest_excluded else low <= number.value < high
        if not fits:
            bounds = f"above {low:g}, up to {high:g}" if lowest_excluded else f"from {low:g} on, below {high:g}"
            raise KnowledgeError(
                f"{theirs if number.local else ours}{key}: {number}: {criterion.id} could only come out one way, "
                f"because {fact} lies between {low:g} and {high:g}; allowed is {bounds}"
            )
    age = criterion.max_age_days
    if age is not None and not 0 <= age.value <= OLDEST_DAYS:
        raise KnowledgeError(
            f"{theirs if age.local else ours}max_age_days: {age}: {criterion.id} would rest on measurements "
            f"of any age, or on none; allowed is 0 to {OLDEST_DAYS}"
        )


_INCLUDES_LIMIT = {Comparator.AT_LEAST, Comparator.ANY_AT_LEAST, Comparator.BELOW}
"""Comparisons that hold on one side of the limit and at the highest value, so that the lowest is no limit."""


def _limits(criterion: Criterion, knowledge: Knowledge) -> Iterator[_Limit]:
    for fact in criterion.facts:
        for component, (low, high) in _possible(fact, knowledge).items():
            if criterion.compare in BY_COMPONENT:
                key, number = f"limits.{component}", criterion.limits.get(component)
            else:
                key, number = "limit" if criterion.limit else f"limits.{fact}", criterion.limit_for(fact)
            if number is not None:
                yield _Limit(key, number, fact, low, high)


def _possible(fact: str, knowledge: Knowledge) -> dict[str, tuple[float, float]]:
    """By component: the least and the most that a fact can be; without those of which nothing is known."""
    definition = knowledge.facts[fact]
    if definition.kind is FactKind.COUNT:
        return {"": (0, float("inf") if definition.highest is None else definition.highest)}
    name = fact.removesuffix(".latest")
    if sign := knowledge.vital_signs.vital_signs.get(name):
        return {key: (part.lowest.value, part.highest.value) for key, part in sign.components.items()}
    form = knowledge.instruments.forms.get(name.removeprefix("scores."))
    return {"total": form.instrument.range} if form and form.instrument.range else {}
