"""Mutated requests: never a failure of the service, never an answer that CDS Hooks does not allow.

A short run belongs to the tests; ``make fuzz`` runs twenty thousand.
"""

from __future__ import annotations

from collections import Counter

import schemathesis
from hypothesis import given
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.support.conformance.ehr import post
from tests.support.fuzz.mutants import requests
from tests.support.hooks.calls import check, client, diagnostics

SEEN: Counter[int] = Counter()
API = schemathesis.openapi.from_asgi("/openapi.json", client().app).include(path_regex="^/cds-services")


@given(requests())
def test_a_mutated_request_is_answered_as_cds_hooks_allows_or_refused(made: tuple[str, bytes]) -> None:
    url, body = made
    answer = post(url, body)
    SEEN[answer.status_code] += 1
    if answer.status_code == 200:
        check(answer.json())
    else:
        assert answer.status_code in {400, 412, 413}
        assert diagnostics(answer)


def test_most_mutants_are_answered() -> None:
    """What is refused at once tries nothing: the mutants must reach the line behind the door."""
    assert sum(SEEN.values()) == 0 or SEEN[200] > sum(SEEN.values()) / 3


@API.parametrize()
def test_what_follows_the_published_description_is_answered_as_it_says(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=[not_a_server_error, response_schema_conformance])
