"""A prefetched page that is full, and does not say whether it is the last, is a part."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_plugin.record.decoding import decode_value
from fhir_plugin.record.inputs import PAGE_SIZE
from fhir_plugin.record.record import InputState
from tests.support.reading.material import PATIENT, bundle, outcome, resource

PARTIAL, COMPLETE = InputState.PARTIAL, InputState.COMPLETE


@pytest.mark.parametrize(
    ("count", "more", "answered", "state"),
    [
        (PAGE_SIZE, {}, False, PARTIAL),
        (PAGE_SIZE, {"total": PAGE_SIZE}, False, COMPLETE),
        (PAGE_SIZE, {"link": [{"relation": "self", "url": "https://ehr.example/fhir"}]}, False, COMPLETE),
        (PAGE_SIZE, {}, True, COMPLETE),
        (PAGE_SIZE - 1, {}, False, COMPLETE),
        (PAGE_SIZE + 1, {}, False, COMPLETE),
    ],
    ids=["a page full to the brim", "a total", "a link", "from the server", "one fewer", "one more"],
)
def test_a_full_page_that_does_not_say_whether_it_is_the_last(
    count: int, more: dict[str, Any], answered: bool, state: InputState
) -> None:
    value = bundle(*(resource("Condition", number) for number in range(count)), outcome("information"), **more)
    decoded = decode_value("conditions", value, PATIENT, answered=answered)
    assert decoded.input.state is state
    assert decoded.worth_asking is (state is PARTIAL)
