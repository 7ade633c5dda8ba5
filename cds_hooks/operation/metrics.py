"""Metrics for Prometheus. Every label is from a closed set: services, rules, verdicts, status codes."""

from __future__ import annotations

import re
from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from cds_hooks.clients.admission import Admission
from cds_hooks.clients.knowledge_in_use import KnowledgeInUse
from cds_hooks.clients.shares import Share
from cds_hooks.memory.memory import Memory
from cds_hooks.memory.tally import ANY_TIME, CALLS, TOOK, UNKNOWN_CARD, TallyKey, times, treatment_of
from cds_hooks.operation.canaries import Canaries
from cds_hooks.operation.load import Load
from cds_hooks.protocol.clock import today
from cds_hooks.replay.shadow import ShadowQueue
from fhir_plugin.extras import DISTRIBUTION
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.scopes import REFUSALS
from fhir_plugin.record.record import Query

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_OUTCOMES = {
    "timeout": "timeout",
    "connection failed": "unreachable",
    "address refused": "unreachable",
    "not asked, the server has been silent": "resting",
    "not asked, this kind of server has none": "not-offered",
}
_PAGES = re.compile(r", [0-9]+ pages$")
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Family(NamedTuple):
    """All values of one metric, as one process tells them to another."""

    name: str
    words: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


class Metrics:
    """The metrics of one application, in a registry of their own."""

    def __init__(self, state: CurrentState, today: Callable[[], date] = today) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "tandem_requests", "Requests by operation and status.", ("operation", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "tandem_request_seconds",
            "Time to answer, in seconds.",
            ("operation",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._feedback = Counter(
            "tandem_feedback",
            "Feedback kept, by service, outcome and reason.",
            ("service", "outcome", "reason"),
            registry=self._registry,
        )
        self._queries = Counter(
            "tandem_fhir_queries",
            "Queries to FHIR servers for calls, by server profile and outcome.",
            ("profile", "outcome"),
            registry=self._registry,
        )
        self._query_seconds = Histogram(
            "tandem_fhir_query_seconds",
            "Time of a query to a FHIR server, all its pages together, in seconds.",
            ("profile",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)
        self._registry.register(state)
        self._tally, self._today = state.memory.tally, today
        self._children: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        """The count and the times of one kind of request, found once."""

    def request(self, operation: str, status: int, seconds: float) -> None:
        """Count one request."""
        children = self._children.get((operation, status))
        if children is None:
            children = self._requests.labels(operation, status), self._seconds.labels(operation)
            self._children[operation, status] = children
        count, times = children
        count.inc()
        times.observe(seconds)

    def call(self, client: str, service: str, mode: str, seconds: float) -> None:
        """Count how long one call took, for the metrics and the report; the database holds no time of a single call."""
        self._tally.add(self._today(), TallyKey(client, service, mode), times(seconds))

    def feedback(self, service: str, outcome: str, reason: str) -> None:
        """Count one feedback item; all three labels are from closed sets."""
        self._feedback.labels(service, outcome, reason).inc()

    def reading(self, profile: str, queries: Iterable[Query]) -> None:
        """Count the queries of one call."""
        for query in queries:
            self._queries.labels(profile, query_outcome(query.outcome)).inc()
            self._query_seconds.labels(profile).observe(query.milliseconds / 1000)

    def exposition(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self._registry)

    def families(self) -> list[Family]:
        """All metrics, for another process."""
        return [
            Family(
                each.name,
                each.documentation,
                each.type,
                [(one.name, one.labels, float(one.value)) for one in each.samples],
            )
            for each in self._registry.collect()
        ]


class _Collected(Collector):
    """Metrics that were collected elsewhere."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def exposition_of_all(told: Sequence[Sequence[Family] | None]) -> bytes:
    """What each worker told, in the text format of Prometheus, its number as a label; ``None``: it did not answer."""
    metrics: dict[str, Metric] = {}
    up = GaugeMetricFamily("tandem_worker_up", "Whether a worker of several told its metrics.", labels=("worker",))
    for number, families in enumerate(told):
        up.add_metric((str(number),), float(families is not None))
        for family in families or ():
            metric = metrics.setdefault(family.name, Metric(family.name, family.words, family.kind))
            for name, labels, value in family.samples:
                metric.samples.append(Sample(name, {**labels, "worker": str(number)}, value))
    return generate_latest(_Collected((*metrics.values(), up)))


def query_outcome(said: str) -> str:
    """How a query ended, from a closed set: ``Query.outcome`` may also hold how many pages there were."""
    if said in REFUSALS:
        return "token"
    without_pages = _PAGES.sub("", said)
    word, _, rest = without_pages.partition(" ")
    if word in ("200", "201"):
        return "unreadable" if rest else "ok"
    if word in ("401", "403"):
        return "denied"
    if word.isdigit():
        return f"{word[0]}xx" if word[0] in "345" else "other"
    return _OUTCOMES.get(without_pages, "other")


@dataclass(frozen=True, slots=True, eq=False)
class CurrentState:
    """What is read at scrape time: tallies, state of the database and the replay store, FHIR servers, load."""

    knowledge: KnowledgeInUse
    memory: Memory
    servers: FhirServers
    canaries: Canaries
    load: Load
    admission: Admission | None
    """Where callers are authenticated."""
    shadows: ShadowQueue
    clients: Sequence[str]
    """The names of all clients."""

    def describe(self) -> Iterator[Metric]:
        """Nothing: collecting in advance would read the current values."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The current values."""
        yield self._knowledges()
        build = GaugeMetricFamily(
            "tandem_build_info", "The version, and the knowledge in use.", labels=("version", "knowledge")
        )
        build.add_metric((version(DISTRIBUTION), self.knowledge.common.short_digest), 1)
        yield build
        refused = CounterMetricFamily(
            "tandem_tokens_refused",
            "Calls whose tokens were refused, by the client that they claim to be from, and reason.",
            labels=("client", "reason"),
        )
        for labels, number in sorted(self.admission.refused.items() if self.admission else ()):
            refused.add_metric(labels, number)
        yield refused
        yield from self._tallies()
        silent = GaugeMetricFamily(
            "tandem_rule_silent",
            "Rules that were expected to fire in recent days and did not.",
            labels=("service", "rule"),
        )
        for rule in self.memory.silent:
            silent.add_metric((rule.service, rule.rule), 1)
        yield silent
        unseen = GaugeMetricFamily(
            "tandem_canary_silent", "Criteria that a synthetic patient should meet and did not.", labels=("criterion",)
        )
        for criterion in self.canaries.silent:
            unseen.add_metric((criterion,), 1)
        yield unseen
        if self.memory.offered:
            yield _gauge(
                "tandem_database_up", "Whether the database of the feedback is open.", self.memory.state == "open"
            )
        if self.admission is not None:
            state = self.admission.replays.state
            yield _gauge("tandem_replay_store_up", "Whether the use of a token can be recorded.", state != "away")
            yield _gauge(
                "tandem_replay_store_full",
                "Whether the share of a client in the replay store is full.",
                state == "full",
            )
            yield _refused_calls(self.admission.shares)
        yield _gauge("tandem_cards_pending", "Cards that wait to be written.", self.memory.pending)
        yield _gauge(
            "tandem_cards_quiet", "Cards kept quiet by an override, including expired ones.", self.memory.quiet
        )
        lost = CounterMetricFamily(
            "tandem_cards_given_up", "Cards dropped unwritten because the database was unreachable."
        )
        lost.add_metric((), self.memory.given_up)
        yield lost
        servers = GaugeMetricFamily("tandem_fhir_servers", "FHIR servers in use, by state.", labels=("state",))
        resting = self.servers.resting
        servers.add_metric(("resting",), resting)
        servers.add_metric(("in use",), len(self.servers) - resting)
        yield servers
        yield from self._loads()
        yield from self._shadow()

    def _knowledges(self) -> Metric:
        info = GaugeMetricFamily(
            "tandem_knowledge_info",
            "The knowledge in use: of the service, and by client; `live`, or in the `shadow`.",
            labels=("digest", "client", "use"),
        )
        for client in ("", *self.clients):
            info.add_metric((self.knowledge.of(client).short_digest, client, "live"), 1)
        for client, shadow in self.knowledge.shadows.items():
            info.add_metric((shadow.short_digest, client, "shadow"), 1)
        return info

    def _shadow(self) -> Iterator[Metric]:
        calls = CounterMetricFamily(
            "tandem_shadow_calls",
            "Calls that a second knowledge decided in the shadow, by outcome; `skipped`: in a rush.",
            labels=("client", "outcome"),
        )
        for labels, number in sorted(self.shadows.calls.items()):
            calls.add_metric(labels, number)
        yield calls
        differences = CounterMetricFamily(
            "tandem_shadow_differences",
            "What the shadow said differently: verdicts, standings, and cards by their rule. Where `from` and `to` are "
            "the same, the card has another content.",
            labels=("client", "rule", "from", "to"),
        )
        for (client, change), number in sorted(self.shadows.differences.items()):
            differences.add_metric((client, *change), number)
        yield differences

    def _loads(self) -> Iterator[Metric]:
        yield _gauge("tandem_calls_in_flight", "Calls let in and not answered yet.", self.load.in_flight)
        yield _gauge("tandem_calls_waiting", "Calls that wait for their turn.", self.load.turns.waiting)
        unserved = CounterMetricFamily(
            "tandem_calls_unserved",
            "Calls that were not answered: too many in flight or waiting, a slow body, or the client left.",
            labels=("reason",),
        )
        for reason, number in sorted(self.load.unserved.items()):
            unserved.add_metric((reason,), number)
        yield unserved

    def _tallies(self) -> Iterator[Metric]:
        calls = CounterMetricFamily("tandem_calls", "Calls answered.", labels=("service", "mode"))
        cards = CounterMetricFamily("tandem_cards", "Cards, by their rule.", labels=("service", "mode", "rule", "said"))
        findings = CounterMetricFamily(
            "tandem_findings", "Criteria, by verdict.", labels=("service", "mode", "criterion", "verdict")
        )
        standings = CounterMetricFamily(
            "tandem_standings",
            "Treatments that a call concerned, by their standing.",
            labels=("service", "mode", "treatment", "standing"),
        )
        criteria = {name for each in self.knowledge.distinct for name in each.criteria}
        unknown = CounterMetricFamily(
            "tandem_feedback_unknown",
            "Feedback on cards that are not known, by outcome.",
            labels=("service", "outcome"),
        )
        timed = CounterMetricFamily("tandem_calls_timed", "Calls answered, by client.", labels=("client", "mode"))
        slow = CounterMetricFamily(
            "tandem_calls_slow",
            "Those of them that took longer than half a second, one or two.",
            labels=("client", "mode", "took"),
        )
        timings: Count[tuple[str, str, str]] = Count()
        totals: Count[tuple[str, str, str, str]] = Count()
        for (key, (rule, outcome)), number in self.memory.tally.total.items():
            if rule == TOOK:
                timings[key.tenant, key.mode, outcome] += number
            else:
                totals[key.service, key.mode, rule, outcome] += number
        for (client, mode, outcome), number in sorted(timings.items()):
            if outcome == ANY_TIME:
                timed.add_metric((client, mode), number)
            else:
                slow.add_metric((client, mode, outcome), number)
        for (service, mode, rule, outcome), number in sorted(totals.items()):
            if rule == CALLS:
                calls.add_metric((service, mode), number)
            elif rule == UNKNOWN_CARD:
                unknown.add_metric((service, outcome), number)
            elif treatment := treatment_of(rule):
                standings.add_metric((service, mode, treatment, outcome), number)
            else:
                family = findings if rule in criteria else cards
                family.add_metric((service, mode, rule, outcome), number)
        yield from (calls, cards, findings, standings, unknown, timed, slow)


def _gauge(name: str, words: str, value: float) -> Metric:
    gauge = GaugeMetricFamily(name, words)
    gauge.add_metric((), value)
    return gauge


def _refused_calls(shares: Mapping[str, Share]) -> Metric:
    refused = CounterMetricFamily(
        "tandem_client_calls_refused",
        "Calls of a client beyond those that it may make: at a time, or a second.",
        labels=("client", "excess"),
    )
    for name, share in shares.items():
        for excess, number in sorted(share.refused.items()):
            refused.add_metric((name, excess), number)
    return refused
