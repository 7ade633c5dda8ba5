"""Metrics for Prometheus. Every label is from a closed set: services, rules, verdicts, status codes."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from cds_hooks.clients.replays import ReplayStore
from cds_hooks.memory.memory import Memory
from cds_hooks.memory.tally import CALLS, treatment_of
from cds_hooks.operation.canaries import Canaries
from cds_hooks.operation.load import Load
from fhir_plugin.reading.client import FhirServers
from mappings.schema.load import Knowledge

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Family(NamedTuple):
    """All values of one metric, as one process tells them to another."""

    name: str
    words: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


class Metrics:
    """The metrics of one application, in a registry of their own."""

    def __init__(self, state: CurrentState) -> None:
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
        self._registry.register(state)
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

    def feedback(self, service: str, outcome: str, reason: str) -> None:
        """Count one feedback item; all three labels are from closed sets."""
        self._feedback.labels(service, outcome, reason).inc()

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


@dataclass(frozen=True, slots=True, eq=False)
class CurrentState:
    """What is read at scrape time: tallies, state of the database and the replay store, FHIR servers, load."""

    knowledge: Knowledge
    memory: Memory
    servers: FhirServers
    canaries: Canaries
    load: Load
    replays: ReplayStore | None
    """The record of used tokens, where callers are authenticated."""

    def describe(self) -> Iterator[Metric]:
        """Nothing: collecting in advance would read the current values."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The current values."""
        info = GaugeMetricFamily("tandem_knowledge_info", "The knowledge in use.", labels=("digest",))
        info.add_metric((self.knowledge.digest[:12],), 1)
        yield info
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
        states = GaugeMetricFamily("tandem_database_up", "Whether the database of the feedback is open.")
        states.add_metric((), float(self.memory.state == "open"))
        yield states
        if self.replays is not None:
            state = self.replays.state
            yield _gauge("tandem_replay_store_up", "Whether the use of a token can be recorded.", state != "away")
            yield _gauge(
                "tandem_replay_store_full",
                "Whether the share of a client in the replay store is full.",
                state == "full",
            )
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
        totals: Count[tuple[str, str, str, str]] = Count()
        for (key, (rule, outcome)), number in self.memory.tally.total.items():
            totals[key.service, key.mode, rule, outcome] += number
        for (service, mode, rule, outcome), number in sorted(totals.items()):
            if rule == CALLS:
                calls.add_metric((service, mode), number)
            elif treatment := treatment_of(rule):
                standings.add_metric((service, mode, treatment, outcome), number)
            else:
                family = findings if rule in self.knowledge.criteria else cards
                family.add_metric((service, mode, rule, outcome), number)
        yield from (calls, cards, findings, standings)


def _gauge(name: str, words: str, value: float) -> Metric:
    gauge = GaugeMetricFamily(name, words)
    gauge.add_metric((), value)
    return gauge
