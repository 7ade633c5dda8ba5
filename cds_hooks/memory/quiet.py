"""Which overridden cards stay quiet. Pure: the current time is a parameter.

A card repeats an earlier one if it shows the same findings from the same evidence for the same orders. After an
override it stays quiet for that patient, rule and person for a set time; nobody's override hides a card from somebody
else, and where the call does not say who is asking, no card is hidden. Contraindications and doses far outside the
range are never quiet at signing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from cds_hooks.cards.builder import CardBasis
from cds_hooks.memory.keys import KeyedHash
from cds_hooks.protocol.responses import Card
from fhir_plugin.deciding.finding import Finding
from fhir_plugin.facts.fact import Evidence
from mappings.schema.service.services import ServiceDefinition

DAY_MS = 86_400_000
MOST_QUIET = 50_000
"""Maximum number of quiet cards; beyond it, the one overridden first is shown again."""
ROLES = frozenset({"Practitioner", "PractitionerRole", "Patient", "RelatedPerson"})
BEFORE_A_DOSE = ("order-sign", "encounter-start")

_SAFETY_PREFIXES = ("safety:", "review:")
"""Prefixes of rules about an actual or possible danger: these are quiet for a shorter time."""
_RUNNING_DAYS = re.compile(r"\d+(?= (?:\w+ )?days)")
"""Day counts of ongoing courses change every day; that is not a change of the facts."""
_ENCODER = msgspec.json.Encoder()


class CardKey(NamedTuple):
    """With the fingerprint, a repeated card: keyed hash of the patient, rule of the card, role of the user."""

    patient: str
    rule: str
    role: str


class FeedbackRecord(NamedTuple):
    """One feedback entry for one card, as stored in the database."""

    outcome_at: int
    id: int
    card_key: CardKey
    fingerprint: str
    outcome: str
    reason: str
    received_at: int


class _Entry(NamedTuple):
    order: tuple[int, int]
    until: int


def role_of(user: str) -> str:
    """The role that ``context.userId`` names; one of a closed set."""
    kind = user.partition("/")[0]
    return kind if kind in ROLES else "other"


def is_person(user: str) -> bool:
    """Whether ``context.userId`` names one person, as ``Practitioner/1`` does."""
    kind, _, identity = user.strip().partition("/")
    return kind in ROLES and bool(identity.strip())


def fingerprint(card: Card, basis: CardBasis, user: str, keyed: KeyedHash) -> str:
    """Keyed hash of the person and the facts on the card; for a safety signal of the evidence, whatever its wording.

    A card without findings repeats only if its text is identical. The person is part of the hash, and is not stored by
    itself: entries of one person cannot be put together.
    """
    return keyed.of("person", user.strip(), _facts(card, basis, keyed))


def _facts(card: Card, basis: CardBasis, keyed: KeyedHash) -> str:
    if basis.once:
        evidence = sorted(_evidence_content(item) for finding in basis.findings for item in finding.evidence)
        return keyed.of("evidence", basis.rule, _ENCODER.encode(evidence))
    offered = [suggestion.label for suggestion in card.suggestions]
    facts = [_finding_content(finding) for finding in basis.findings] or card.detail
    return keyed.of("facts", _ENCODER.encode((basis.rule, card.summary, card.indicator, offered, facts, basis.orders)))


def _finding_content(finding: Finding) -> tuple[object, ...]:
    evidence = [_evidence_content(item) for item in finding.evidence]
    return (finding.criterion, finding.verdict, finding.because, finding.missing, evidence)


def _evidence_content(item: Evidence) -> tuple[str, str, str, str]:
    return item.reference, item.label, str(item.day), _RUNNING_DAYS.sub("", item.note)


def may_be_quiet(card: Card, basis: CardBasis, service: ServiceDefinition) -> bool:
    """Whether an override can keep this card quiet: before a dose never a danger or a dose far outside the range."""
    if service.hook not in BEFORE_A_DOSE:
        return True
    dangerous = card.indicator == "critical" or basis.far_out
    return not (dangerous or (basis.against and service.hook == "order-sign"))


class QuietCards:
    """The cards that are quiet now, derived from feedback."""

    def __init__(self, reasons: frozenset[str], days: float, safety_days: float) -> None:
        self._reasons = reasons
        self._times = {True: int(safety_days * DAY_MS), False: int(days * DAY_MS)}
        self._entries: dict[tuple[CardKey, str], _Entry] = {}

    @property
    def longest(self) -> int:
        """Milliseconds after which feedback has no effect any more."""
        return max(self._times.values())

    def __len__(self) -> int:
        return len(self._entries)

    def learn(self, record: FeedbackRecord) -> None:
        """Process one feedback entry. The latest counts, so accepting, or giving no reason, ends the quiet period."""
        key, order = (record.card_key, record.fingerprint), (record.outcome_at, record.id)
        before = self._entries.get(key)
        if before is not None and before.order > order:
            return
        self._entries.pop(key, None)
        if record.outcome == "overridden" and record.reason in self._reasons:
            until = record.received_at + self._times[record.card_key.rule.startswith(_SAFETY_PREFIXES)]
            self._entries[key] = _Entry(order, until)
            if len(self._entries) > MOST_QUIET:
                del self._entries[next(iter(self._entries))]

    def hides(self, key: CardKey, facts: str, now: int) -> bool:
        """Whether a card with these facts is quiet at ``now`` (milliseconds)."""
        entry = self._entries.get((key, facts))
        return entry is not None and now < entry.until
