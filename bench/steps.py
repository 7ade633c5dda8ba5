"""Where the CPU time of one call goes: each step of the line by itself, in one process, on one core."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable

import msgspec

from bench.peers.servers import SERVER_CORE, pin
from bench.requests import AS_OF, SIZES, build
from cds_hooks.application.app import COLLECT_AFTER
from cds_hooks.cards.builder import CardContext
from cds_hooks.cards.criteria import criteria_card
from cds_hooks.protocol.requests import HookCall, read_call
from cds_hooks.protocol.responses import CardsResponse
from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.facts.read import read_facts
from fhir_plugin.orders.templates import Templates
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import gather
from fhir_plugin.reading.needs import observation_tokens
from fhir_plugin.record.record import Record
from mappings.schema.load import Knowledge, load_knowledge

REPEATS = 300


def median_ms(step: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median CPU time of one step, in milliseconds; what else runs on the machine waits in nobody's column."""
    times = []
    for _ in range(repeats):
        begin = time.process_time_ns()
        step()
        times.append((time.process_time_ns() - begin) / 1e6)
    return statistics.median(times)


def main() -> None:
    """Print one table: step by size."""
    pin(SERVER_CORE)
    knowledge = load_knowledge()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    columns = {size: _steps(build(count), knowledge, max(20, REPEATS * 10 // count)) for size, count in SIZES.items()}
    print("| step, ms of CPU | " + " | ".join(f"{size} ({count})" for size, count in SIZES.items()) + " |")
    print("|---|" + "---|" * len(columns))
    for step in next(iter(columns.values())):
        print(f"| {step} | " + " | ".join(f"{times[step]:.3f}" for times in columns.values()) + " |")
    print()


def _steps(body: bytes, knowledge: Knowledge, repeats: int) -> dict[str, float]:
    call = read_call(body, "order-sign")
    needs = knowledge.inputs, observation_tokens(knowledge), FhirServers()
    record = _gathered(call, *needs)
    facts = read_facts(record, knowledge, AS_OF)
    findings = assess(facts, knowledge)
    protocol = knowledge.protocols[knowledge.protocol]
    recommendation = recommend(findings, protocol, knowledge, ("ketamine",))
    decision, templates = Decision(record, facts, findings, recommendation), Templates(knowledge, protocol.id)
    telling = CardContext(decision, knowledge, call.hook, AS_OF, 0, lambda: "id", templates=templates)
    cards = CardsResponse((criteria_card(telling),))
    steps: dict[str, Callable[[], object]] = {
        "request": lambda: read_call(body, "order-sign"),
        "gather (decode, subjects)": lambda: _gathered(call, *needs),
        "facts": lambda: read_facts(record, knowledge, AS_OF),
        "assess": lambda: assess(facts, knowledge),
        "recommend": lambda: recommend(findings, protocol, knowledge, ("ketamine",)),
        "cards": lambda: criteria_card(telling),
        "write": lambda: msgspec.json.encode(cards),
    }
    return {name: median_ms(step, repeats) for name, step in steps.items()}


def _gathered(call: HookCall, wanted: tuple[str, ...], codes: tuple[str, ...], clients: FhirServers) -> Record:
    """Gather without an event loop: with everything prefetched, the coroutine never waits."""
    waiting = gather(call.context.patient_id, call.prefetch, wanted, codes, None, clients)
    try:
        waiting.send(None)
    except StopIteration as done:
        record: Record = done.value
        return record
    raise RuntimeError("gather waited although everything was prefetched")


if __name__ == "__main__":
    asyncio.set_event_loop(None)
    main()
