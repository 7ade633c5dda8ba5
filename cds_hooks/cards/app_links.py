"""The link from a card to the SMART app: it opens the page that belongs to the card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from cds_hooks.protocol.responses import Card, Link
from cds_hooks.settings.issuers import Issuer
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.urls import normal_base_url

LABEL = "Criteria, trials, course and questionnaires"


class AppLinks:
    """Adds the link for EHRs that can launch the app; others are not shown a link that they cannot use."""

    def __init__(self, issuers: Iterable[Issuer], public_url: str | None) -> None:
        self._issuers: Mapping[str, Issuer] = {issuer.issuer: issuer for issuer in issuers}
        self._address = f"{public_url}/smart/launch"

    def on(self, cards: tuple[Card, ...], treatments: tuple[str, ...]) -> tuple[Card, ...]:
        """The cards with the link, for an EHR that the app can be launched from."""
        treatment = treatments[0] if treatments else ""
        context = msgspec.json.encode({"page": "criteria"} | ({"treatment": treatment} if treatment else {})).decode()
        link = Link(label=LABEL, url=self._address, type="smart", app_context=context)
        return tuple(msgspec.structs.replace(card, links=(link, *card.links)) for card in cards)

    def reaches(self, fhir_server: str | None) -> bool:
        """Whether the EHR with this FHIR server can launch the app."""
        if not self._issuers:
            return False
        try:
            return normal_base_url(fhir_server or "") in self._issuers
        except BadInput:
            return False
