"""Which overridden cards stay quiet. Pure: the moment is given, and nothing is waited for.

A card is the same as an earlier one when it shows the same findings from the same evidence, and the same order says
the same. It stays quiet for the patient, the rule and the role of the user to whom it was overridden, for a set time.
Contraindications and doses far out are never quiet at signing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from cds_hooks.cards.builder import CardBasis
from cds_hooks.memory.keys import KeyedHash
from cds_hooks.protocol.responses import Card
from fhir_plugin.deciding.assess import Finding
from mappings.schema.service.services import ServiceDefinition

DAY_MS = 86_400_000
MOST_QUIET = 50_000
"""Cards that are quiet at one time; beyond, the one overridden first is shown again."""
ROLES = frozenset({"Practitioner", "PractitionerRole", "Patient", "RelatedPerson"})
SIGNING = "order-sign"

_SAFETY_PREFIXES = ("safety:", "review:")
"""Rules about a danger, or about what may be one: quiet for a shorter time."""
_RUNNING_DAYS = re.compile(r"\d+(?= (?:\w+ )?days)")
"""Day counts of what is still going on change every morning; that is no change of the facts."""
_ENCODER = msgspec.json.Encoder()


class CardKey(NamedTuple):
    """To whom a card speaks of what: keyed hash of the patient, rule of the card, role of the user."""

    patient: str
    rule: str
    role: str


class FeedbackRecord(NamedTuple):
    """One answer to one card, as it stands in the database."""

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


def fingerprint(card: Card, basis: CardBasis, keyed: KeyedHash) -> str:
    """What the card says of the facts; of a safety signal only the evidence, however it is worded another day.

    A card without findings is the same while it says the same to the letter.
    """
    if basis.once:
        evidence = sorted((item.reference, item.label) for finding in basis.findings for item in finding.evidence)
        return keyed.of("evidence", basis.rule, _ENCODER.encode(evidence))
    offered = [suggestion.label for suggestion in card.suggestions]
    facts = [_finding_content(finding) for finding in basis.findings] or card.detail
    return keyed.of("facts", _ENCODER.encode((basis.rule, card.summary, card.indicator, offered, facts, basis.orders)))


def _finding_content(finding: Finding) -> tuple[object, ...]:
    evidence = [
        (item.reference, item.label, str(item.day), _RUNNING_DAYS.sub("", item.note)) for item in finding.evidence
    ]
    return (finding.criterion, finding.verdict, finding.because, finding.missing, evidence)


def may_be_quiet(card: Card, basis: CardBasis, service: ServiceDefinition) -> bool:
    """Whether an override can keep this card quiet: when an order is signed never a danger, nor a dose far out."""
    return service.hook != SIGNING or not (basis.against or basis.far_out or card.indicator == "critical")


class QuietCards:
    """The cards that are quiet now, learned from the answers to them."""

    def __init__(self, reasons: frozenset[str], days: float, safety_days: float) -> None:
        self._reasons = reasons
        self._times = {True: int(safety_days * DAY_MS), False: int(days * DAY_MS)}
        self._entries: dict[tuple[CardKey, str], _Entry] = {}

    @property
    def longest(self) -> int:
        """Milliseconds after which an answer has no effect any more."""
        return max(self._times.values())

    def __len__(self) -> int:
        return len(self._entries)

    def learn(self, record: FeedbackRecord) -> None:
        """Take in one answer. The last one counts, so that accepting, or giving no reason, ends the quiet."""
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
        """Whether a card that shows these facts was overridden not long before ``now`` (milliseconds)."""
        entry = self._entries.get((key, facts))
        return entry is not None and now < entry.until
