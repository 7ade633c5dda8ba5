"""Inferred stop days for orders that were stopped on a day that the record does not give."""

from __future__ import annotations

from bisect import bisect_left

from msgspec.structs import replace

from fhir_plugin.facts.medications.exposures import Exposure
from fhir_plugin.facts.medications.supply import ORDERED


def infer_stops(exposures: list[Exposure]) -> list[Exposure]:
    """End such orders at the next different order, else at their last change, else on their first day."""
    if not any(exposure.window.open_stop for exposure in exposures):
        return exposures
    orders = [e for e in exposures if e.window.grade == ORDERED]
    starts = [e.window.start or 0 for e in orders]
    following = _next_different(orders, starts)
    latest = _last_different(orders, starts)
    inferred = {
        id(e): _with_inferred_stop(e, starts[at], following[at], latest[at])
        for at, e in enumerate(orders)
        if e.window.open_stop
    }
    return [inferred.get(id(e), e) for e in exposures]


def _next_different(orders: list[Exposure], starts: list[int]) -> list[int | None]:
    """For every order the start of the next different one on a later day."""
    result: list[int | None] = [None] * len(orders)
    for at in range(len(orders) - 2, -1, -1):
        later = at + 1
        differs = orders[later].prescription.key != orders[at].prescription.key and starts[later] > starts[at]
        result[at] = starts[later] if differs else result[later]
        if result[at] is not None and result[at] == starts[at]:
            result[at] = None
    return result


def _last_different(orders: list[Exposure], starts: list[int]) -> list[int]:
    """For every order the start of the last different one within its planned days, else its own start.

    Whichever other record is missing, the order cannot be inferred to end later than that.
    """
    differing: list[int] = []
    for at in range(len(orders)):
        same = at > 0 and orders[at].prescription.key == orders[at - 1].prescription.key
        differing.append(differing[at - 1] if same else at - 1)
    result: list[int] = []
    for at, order in enumerate(orders):
        last = bisect_left(starts, order.window.stop) - 1
        if orders[last].prescription.key == order.prescription.key:
            last = differing[last]
        result.append(max(starts[at], starts[last]) if last >= 0 else starts[at])
    return result


def _with_inferred_stop(order: Exposure, start: int, following: int | None, latest: int) -> Exposure:
    window = order.window
    planned, updated = window.stop, window.updated
    changed = updated if updated is not None and start < updated < planned else None
    claimed = max(changed or start, start, latest)
    if following is not None and following < planned and "on_hold" not in window.flags:
        stop, flag = following, ""
    elif changed is not None:
        stop, flag = changed, "stop_uncertain"
    else:
        stop, flag = start, ""
    flags = (*order.flags, flag) if flag else order.flags
    possible = changed or window.possible
    inferred = replace(window, stop=stop, claimed=max(claimed, stop), possible=max(possible, stop))
    return replace(order, window=inferred, flags=flags)
