"""HealthChain with a trivial rule on dicts, in its own environment; same card, same collector setting as the others."""

from __future__ import annotations

import logging

from healthchain.gateway import CDSHooksService, HealthChainAPI  # type: ignore[import-not-found]
from healthchain.models import CDSRequest, CDSResponse  # type: ignore[import-not-found]

from bench.peers.answers import CARD, settle

logging.disable(logging.WARNING)
service = CDSHooksService()


@service.hook("order-sign", id="bench")  # type: ignore[misc]
def answer(request: CDSRequest) -> CDSResponse:
    """Count the conditions; answer the constant card."""
    conditions = (request.prefetch or {}).get("conditions") or {}
    _ = len(conditions.get("entry", ()))
    return CDSResponse(cards=[CARD])


app = HealthChainAPI(enable_events=False)
app.register_service(service)
settle()
