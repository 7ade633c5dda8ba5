"""The common parts of all pages of a session: access, patient banner, and error pages."""

from __future__ import annotations

import hmac
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cds_hooks.protocol.errors import BodyTooLarge, LaunchRefused
from cds_hooks.protocol.limits import read_body
from cds_hooks.settings.issuers import Issuer
from cds_hooks.smart.forms import read_form
from cds_hooks.smart.launching import PAGES
from cds_hooks.smart.openings import AppSession, AppSessions
from cds_hooks.smart.permissions import may_read
from cds_hooks.smart.views import warning
from cds_hooks.telemetry.logs import add_log_fields
from cds_hooks.web.origin import is_same_origin
from cds_hooks.web.pages import NOBODY, Pages
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.errors import RecordUnavailable
from fhir_plugin.payers.dossier_record import person
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.needs import DataNeeds
from fhir_plugin.reading.sources import ServerSource
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import Record
from mappings.schema.load import Knowledge

BAD_REQUEST, FORBIDDEN, NOT_FOUND, UNAVAILABLE = 400, 403, 404, 502
SECONDS = 10.0
"""How long one page may spend reading from the EHR."""
_MOST_FORM_BYTES = 50_000
_ONLY_PATIENT = DataNeeds(("patient",))


class PageFrame:
    """Finds the session of a request and renders pages around their content."""

    def __init__(
        self,
        knowledge: Knowledge,
        issuers: tuple[Issuer, ...],
        connections: FhirServers,
        pages: Pages,
        sessions: AppSessions,
        public_origin: str,
    ) -> None:
        self._public_origin = public_origin
        self._knowledge = knowledge
        self._connections = connections
        self._pages = pages
        self._sessions = sessions
        self._ancestors = tuple(dict.fromkeys(ancestor for issuer in issuers for ancestor in issuer.frame_ancestors))
        self._types = sorted({INPUTS[name].resource_type for name in knowledge.inputs})

    def session(self, request: Request) -> AppSession | None:
        """The session in the address; ``None`` if it has expired or belongs to another browser."""
        view = request.path_params["view"]
        session = self._sessions.views.get(view, _secret(request))
        if session is not None:
            add_log_fields(tenant=session.issuer.name)
        return session

    def close(self, request: Request) -> None:
        """Delete the session in the address, and its token."""
        self._sessions.views.take(request.path_params["view"], _secret(request))

    async def form(self, request: Request, session: AppSession) -> dict[str, str] | None:
        """The fields of a form of this session; ``None`` for a form from anywhere else, whatever token it has."""
        if not is_same_origin(request, self._public_origin):
            add_log_fields(reason="guard.origin")
            return None
        try:
            fields = read_form(await read_body(request, _MOST_FORM_BYTES))
        except BodyTooLarge:
            return None
        return fields if hmac.compare_digest(fields.get("token", "").encode(), session.form_token.encode()) else None

    async def patient_record(self, session: AppSession) -> Record:
        """The record with only the Patient, read once per session; :class:`RecordUnavailable` if it cannot be read."""
        if session.patient_record is None:
            source = ServerSource(session.access, session.patient, _ONLY_PATIENT, SECONDS, self._connections)
            session.patient_record = await source.read()
        return session.patient_record

    def shown(
        self,
        request: Request,
        session: AppSession,
        name: str,
        record: Record,
        decision: Decision | None = None,
        template: str = "",
        **content: Any,
    ) -> Response:
        """A page; ``name`` is its entry in the navigation, ``template`` overrides the template of that name."""
        knowledge = self._knowledge
        return self._pages.answer(
            f"smart/{template or name}.html",
            request,
            frame_ancestors=session.issuer.frame_ancestors or NOBODY,
            view=request.path_params["view"],
            pages=PAGES,
            current=name,
            who=person(record, knowledge),
            form_token=session.form_token,
            warning=warning(decision, knowledge) if decision else "",
            gaps=record.gaps(knowledge.inputs) if decision else (),
            dropped=record.dropped,
            missing=[kind for kind in self._types if not may_read(session.scopes, kind)],
            **content,
        )

    def unreadable(self, request: Request, session: AppSession, fault: RecordUnavailable) -> Response:
        """The error page for an EHR that did not answer."""
        words = f"The data that every page needs could not be read from the EHR: {fault}."
        return self.error(request, UNAVAILABLE, "The chart could not be read", words, session)

    def refused(self, request: Request, refused: LaunchRefused) -> Response:
        """The error page for a failed launch."""
        add_log_fields(reason=f"launch.{refused.reason}")
        return self.error(request, BAD_REQUEST, "The app could not be opened", str(refused))

    def expired(self, request: Request) -> Response:
        """The page for a missing or expired session; the same whatever the reason."""
        words = "This session has expired, or belongs to another browser. Open the app again from the chart."
        return self.error(request, FORBIDDEN, "Open the app again", words)

    def error(
        self, request: Request, status: int, title: str, words: str, session: AppSession | None = None
    ) -> Response:
        """A text page; without a session, any configured EHR may frame it."""
        allowed = (session.issuer.frame_ancestors if session else self._ancestors) or NOBODY
        return self._pages.answer(
            "error.html", request, status=status, frame_ancestors=allowed, title=title, why=words, back=""
        )


def _secret(request: Request) -> str:
    return request.cookies.get(f"tandem-{request.path_params['view']}", "")
