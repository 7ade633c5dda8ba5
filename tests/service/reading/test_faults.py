"""Whatever a FHIR server does, reading ends in time: with the gap named, or with RecordUnavailable."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Callable

import pytest

from fhir_plugin.deciding.decide import decide
from fhir_plugin.errors import RecordUnavailable, WrongPatient
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess, gather
from fhir_plugin.reading.responses import Limits
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import InputState, Record
from tests.support.hooks.calls import DAY, knowledge
from tests.support.reading.faults import KINDS, LIKE_OTHERS, Faults, bomb, faulty_server, reply
from tests.support.reading.material import PATIENT, TYPES, bundle, resource, supplied

DEADLINES = (0.4, 1.2, 3.6)
"""Seconds that one reading may take; where a busy machine stalls, it is given more of them."""
WANTED = tuple(INPUTS)
HONEST = {"wrong-patient", "none"}
"""What ends with whole inputs, because all that was about somebody else has been dropped and counted."""


async def read(faults: Faults, fault: str, kind: str, clients: FhirServers) -> Record | RecordUnavailable:
    """One record from the failing server alone, in time, whatever the time is that the machine needs."""
    spent: list[float] = []
    for deadline in DEADLINES:
        start = time.monotonic()
        result = await read_once(faults, fault, kind, clients, deadline)
        spent.append(time.monotonic() - start)
        if spent[-1] < deadline * 1.5 and not _stalled(result, kind):
            return result
    raise AssertionError(f"{fault} on {kind} took {spent} seconds")


def _stalled(result: Record | RecordUnavailable, kind: str) -> bool:
    """Whether the machine let another query time out than the one that was to fail."""
    if isinstance(result, RecordUnavailable):
        return "timeout" in str(result) and not str(result).startswith(TYPES[kind])
    ours = TYPES.get(kind, "medications")
    return any(query.outcome == "timeout" and query.input != ours for query in result.queries)


async def read_once(
    faults: Faults, fault: str, kind: str, clients: FhirServers, deadline: float = DEADLINES[0]
) -> Record | RecordUnavailable:
    source = FhirAccess(faults.base(fault, kind), token="canary-token")
    try:
        return await gather(PATIENT, {}, WANTED, ("44261-6",), source, clients, deadline)
    except RecordUnavailable as error:
        return error


@pytest.mark.parametrize("fault", KINDS)
def test_every_fault_on_every_query_ends_in_time_and_names_the_gap(fault: str) -> None:
    async def each_query() -> None:
        async with faulty_server() as faults, FhirServers() as clients:
            some = list(INPUTS.items())[:: 6 if fault in LIKE_OTHERS else 1]
            for name, definition in some:
                check(fault, name, await read(faults, fault, definition.resource_type, clients))
            assert faults.canary == []

    asyncio.run(each_query())


def check(fault: str, name: str, result: Record | RecordUnavailable) -> None:
    """The faulty input is not whole, every other one is; or the error names the input and tells no data."""
    if isinstance(result, RecordUnavailable):
        assert INPUTS[name].required
        assert name in str(result)
        assert "Canary" not in str(result)
        assert PATIENT not in str(result)
        return
    state = result.input(name).state
    assert result.input(name).whole == (fault in HONEST), f"{fault} on {name}: {state}"
    assert all(result.input(other).whole for other in WANTED if other != name)
    assert len(result.queries) >= len(WANTED)
    if fault in HONEST:
        assert result.dropped
        assert not result.input(name).resources


@pytest.mark.parametrize("fault", ["latency", "500", "404", "html", "outcome"])
def test_medications_that_cannot_be_had_are_named(fault: str) -> None:
    async def go() -> Record | RecordUnavailable:
        async with faulty_server() as faults, FhirServers() as clients:
            return await read(faults, fault, "Medication", clients)

    record = asyncio.run(go())
    assert isinstance(record, Record)
    assert record.input("medicationRequests").state is InputState.PARTIAL
    assert any("Medications referred to" in unread.why for unread in record.unread)


def test_another_patient_fails_closed() -> None:
    async def go() -> Record | RecordUnavailable:
        async with faulty_server() as faults, FhirServers() as clients:
            return await read(faults, "wrong-patient", "Patient", clients)

    assert isinstance(asyncio.run(go()), WrongPatient)


def test_a_bomb_stays_small_in_memory() -> None:
    assert len(bomb()) < 400_000

    async def go() -> None:
        async with faulty_server() as faults, FhirServers() as clients:
            await asyncio.gather(*(read_once(faults, "bomb", kind, clients) for kind in ("Condition", "Observation")))

    tracemalloc.start()
    try:
        asyncio.run(go())
        assert tracemalloc.get_traced_memory()[1] < 40_000_000, "two bombs at once, 20 MB each"
    finally:
        tracemalloc.stop()


def totals(count: int) -> bytes:
    """A page of PHQ-9 totals, a second between them."""
    phq9 = {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]}
    times = [f"2026-01-10T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z" for n in range(count)]
    more = [{"code": phq9, "effectiveDateTime": each, "valueInteger": 14, "status": "final"} for each in times]
    return bundle(*(resource("Observation", number, **each) for number, each in enumerate(more)))


@pytest.mark.parametrize(
    ("page", "state"),
    [
        (lambda: totals(2_000), InputState.COMPLETE),
        (lambda: totals(20_000), InputState.UNREADABLE),
        (lambda: b'{"resourceType":"Bundle","entry":[' + b"{}," * 1_900_000 + b"{}]}", InputState.UNREADABLE),
    ],
    ids=["2,000 totals", "20,000 totals", "1.9 million empty entries"],
)
def test_a_page_of_very_much_is_decided_on_or_is_a_gap_before_long(
    page: Callable[[], bytes], state: InputState
) -> None:
    answer, known = reply(page()), knowledge()

    async def go() -> Record:
        async with faulty_server() as faults, FhirServers() as clients:
            faults.answers["much"] = lambda _: answer
            source = FhirAccess(faults.base("much", "Observation"))
            return await gather(PATIENT, supplied("observations"), WANTED, (), source, clients, 10.0)

    begun = time.process_time()
    record = asyncio.run(go())
    assert record.input("observations").state is state
    decide(record, known, as_of=DAY)
    assert time.process_time() - begun < 4, "of CPU, the server's own included; once it was minutes"


def test_a_server_that_stays_silent_is_left_alone_and_then_asked_again() -> None:
    limits = Limits(silent_calls=2, rest_seconds=0.3)

    async def go() -> None:
        async with faulty_server() as faults, FhirServers(limits) as clients:
            source = FhirAccess(faults.base("reset", "Patient"))
            ask = lambda: gather(PATIENT, supplied("patient"), WANTED, (), source, clients, 0.2)  # noqa: E731
            for _ in range(limits.silent_calls):
                with pytest.raises(RecordUnavailable, match="connection failed"):
                    await ask()
            before = len(faults.requests)
            with pytest.raises(RecordUnavailable, match="silent"):
                await ask()
            assert len(faults.requests) == before
            await asyncio.sleep(limits.rest_seconds)
            with pytest.raises(RecordUnavailable, match="connection failed"):
                await ask()
            assert len(faults.requests) > before

    asyncio.run(go())
