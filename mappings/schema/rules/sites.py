"""A site's own settings: its protocol, numbers and roles; checked like the originals and marked as local."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mappings.schema.base.entries import KnowledgeError, Number, Reviewed, Source, Verification
from mappings.schema.base.files import read_yaml
from mappings.schema.instruments import Instruments, with_local_links
from mappings.schema.instruments.links import NamedLinkStyle
from mappings.schema.rules.criteria import Criterion
from mappings.schema.rules.protocols import (
    WEIGHED,
    Clause,
    ClauseWeight,
    Protocol,
    ProtocolParameter,
    Role,
    Weight,
)


class Site(Reviewed):
    """A site's own file."""

    answers_for_it: str
    """Who is responsible, as a role or a committee; no person's name is needed."""
    protocol: str | None = None
    """The protocol to use."""
    sources: dict[str, Source] = Field(default_factory=dict)
    """The site's own sources, in addition to ours."""
    criteria: dict[str, dict[str, Number]] = Field(default_factory=dict)
    """Criterion -> key of a number (``limit``, ``limits.systolic``, ``max_age_days``) -> the number to use."""
    parameters: dict[str, dict[str, ProtocolParameter]] = Field(default_factory=dict)
    """Protocol -> parameter -> the value to use."""
    roles: dict[str, dict[str, Role]] = Field(default_factory=dict)
    """Protocol -> criterion -> its role, for every treatment of its clauses."""
    questionnaires: dict[str, tuple[NamedLinkStyle, ...]] = Field(default_factory=dict)
    """Instrument -> how the site's own questionnaires write its linkIds, such as ``Q{number}`` in ``intake-2026``."""


def load_site(path: Path) -> Site:
    """Read a site's file; :class:`KnowledgeError` names the file and the key at fault."""
    return read_yaml(path, Site)


def with_local_numbers(criteria: dict[str, Criterion], site: Site, file: str) -> dict[str, Criterion]:
    """The criteria with the numbers of a site; only existing numbers can be replaced."""
    changed = dict(criteria)
    for name, numbers in site.criteria.items():
        if name not in changed:
            raise KnowledgeError(f"{file}: criteria: no criterion {name!r}")
        for key, number in numbers.items():
            if key not in changed[name].numbers:
                raise KnowledgeError(f"{file}: criteria.{name}: no number {key!r}")
            changed[name] = _with_number(changed[name], key, number.model_copy(update={"local": True}))
    return changed


def _with_number(criterion: Criterion, key: str, number: Number) -> Criterion:
    _, dot, component = key.partition(".")
    if dot:
        return criterion.model_copy(update={"local": True, "limits": criterion.limits | {component: number}})
    return criterion.model_copy(update={"local": True, key: number})


def with_local_questionnaires(instruments: Instruments, site: Site, file: str) -> Instruments:
    """The instruments with the linkIds of a site's own questionnaires."""
    for name, styles in site.questionnaires.items():
        if name not in instruments:
            raise KnowledgeError(f"{file}: questionnaires: no instrument {name!r}")
        for style in styles:
            if "{" not in style.style:
                raise KnowledgeError(f"{file}: questionnaires.{name}: {style.style!r} is the same for every item")
    return with_local_links(instruments, site.questionnaires)


def with_local_rules(protocols: dict[str, Protocol], site: Site, file: str) -> dict[str, Protocol]:
    """The protocols with the parameters and roles of a site."""
    changed = dict(protocols)
    for name in (*site.parameters, *site.roles, *([site.protocol] if site.protocol else [])):
        if name not in changed:
            raise KnowledgeError(f"{file}: no protocol {name!r}")
    for name, parameters in site.parameters.items():
        changed[name] = _with_parameters(changed[name], parameters, file)
    for name, roles in site.roles.items():
        changed[name] = _with_roles(changed[name], roles, file)
    return changed


def _with_parameters(protocol: Protocol, parameters: dict[str, ProtocolParameter], file: str) -> Protocol:
    for key, parameter in parameters.items():
        if key not in protocol.parameters:
            raise KnowledgeError(f"{file}: parameters.{protocol.id}: no parameter {key!r}")
        if parameter.unit != protocol.parameters[key].unit:
            raise KnowledgeError(
                f"{file}: parameters.{protocol.id}.{key}.unit: must be {protocol.parameters[key].unit}"
            )
        if not parameter.is_positive_range:
            where = f"{file}: parameters.{protocol.id}.{key}"
            raise KnowledgeError(f"{where}: an order needs a number above 0, or a range from lower to higher")
    local = {key: parameter.model_copy(update={"local": True}) for key, parameter in parameters.items()}
    return protocol.model_copy(update={"parameters": protocol.parameters | local})


def _with_roles(protocol: Protocol, roles: dict[str, Role], file: str) -> Protocol:
    for criterion in roles:
        if all(clause.criterion != criterion for clause in protocol.clauses):
            raise KnowledgeError(f"{file}: roles.{protocol.id}: no clause for {criterion!r}")
    for clause in protocol.clauses:
        role = roles.get(clause.criterion, clause.role)
        if role not in (clause.role, *_STRONGER[clause.role]):
            raise KnowledgeError(_weakened(f"{file}: roles.{protocol.id}.{clause.criterion}", clause, role))
    clauses = tuple(
        _with_role(clause, roles[clause.criterion]) if clause.criterion in roles else clause
        for clause in protocol.clauses
    )
    return protocol.model_copy(update={"clauses": clauses})


def _with_role(clause: Clause, role: Role) -> Clause:
    if role is clause.role:
        return clause.model_copy(update={"local": True})
    weight = _LOCAL_WEIGHT if role in WEIGHED else None
    return clause.model_copy(update={"role": role, "local": True, "weight": weight, "do": ""})


_LOCAL_WEIGHT = ClauseWeight(value=Weight.PLAN, source="design", verification=Verification.DESIGN)
"""The weight of what a site alone made a caution or an expectation: enough to be reviewed."""


_STRONGER: dict[Role, tuple[Role, ...]] = {
    Role.REQUIRED: (),
    Role.CONTRAINDICATION: (),
    Role.HOLD: (Role.CONTRAINDICATION,),
    Role.EXPECTED: (Role.REQUIRED,),
    Role.CAUTION: (Role.CONTRAINDICATION,),
    Role.CONTEXT: (Role.EXPECTED, Role.REQUIRED, Role.CAUTION, Role.CONTRAINDICATION),
}
"""What a site may make of each role. Required and contraindication look opposite ways: neither replaces the other.

A hold, which needs an instruction, is this product's own.
"""


def _weakened(where: str, clause: Clause, role: Role) -> str:
    allowed = " or ".join(each.value for each in (clause.role, *_STRONGER[clause.role]))
    return (
        f"{where}: {role.value}: it is {clause.role.value} for {', '.join(clause.treatments)}, "
        f"and a site may only make a role stricter; allowed is {allowed}"
    )
