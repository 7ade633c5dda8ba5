"""The launch: from a chart or from the page that lists the EHRs, and the redirect back with a code."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cds_hooks.protocol.errors import LaunchRefused
from cds_hooks.smart.authorization import (
    AuthorizationRequest,
    Endpoints,
    authorization_url,
    discover_endpoints,
    exchange_code,
)
from cds_hooks.smart.grants import TokenGrant, author_reference, encounter_reference
from cds_hooks.smart.openings import LAUNCH_SECONDS, AppSession, AppSessions
from cds_hooks.smart.permissions import requested_scopes
from cds_hooks.smart.registrations import Registration
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.urls import normal_base_url
from fhir_plugin.record import lenient
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.subjects import patient_id_from
from mappings.schema.load import Knowledge

APP = "/smart"
PAGES = {
    "overview": "Overview",
    "criteria": "Criteria",
    "trials": "Trials",
    "questionnaires": "Questionnaires",
    "dossier": "Dossier",
}
"""The pages of a session by the last part of their addresses; the first is the start page."""
_SEE_OTHER = 303
_LONGEST = 16_000
"""Characters of a code or a launch parameter: some are signed tokens, and servers take request lines of about 64 kB."""
_ENDPOINTS_SECONDS = 300.0
_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_REFUSALS = {
    "access_denied": "The EHR denied access, or the sign-in was cancelled.",
    "invalid_scope": "The EHR does not allow this app to read the data it needs.",
    "login_required": "The EHR requires you to sign in again.",
}
"""Messages for the error codes of an authorization server (RFC 6749); no other text of the server is repeated."""


class AppContext(msgspec.Struct, frozen=True):
    """The subject of a card, as carried by its link."""

    page: str = ""
    treatment: str = ""


class LaunchFlow:
    """Redirects browsers to the EHR and opens a session when they return."""

    def __init__(
        self,
        ehrs: Mapping[str, Registration],
        public_url: str,
        knowledge: Knowledge,
        connections: FhirServers,
        seconds: Callable[[], float],
    ) -> None:
        """``ehrs`` by FHIR base URL; ``public_url`` is where browsers reach this service; ``seconds`` is a clock."""
        self._ehrs = ehrs
        self._public_url = public_url
        self._treatments = frozenset(knowledge.cards.treatments)
        self._connections = connections
        self._seconds = seconds
        self._endpoints: dict[str, tuple[float, Endpoints]] = {}
        self._types = {INPUTS[name].resource_type for name in knowledge.inputs} | {"Medication"}

    async def begin(self, request: Request, sessions: AppSessions) -> Response:
        """Redirect to the sign-in of the EHR; :class:`LaunchRefused` for an EHR that is not configured."""
        ehr = self._ehr(request.query_params.get("iss", ""))
        launch = request.query_params.get("launch")
        if launch is not None and (not launch or len(launch) > _LONGEST):
            what = "too long" if launch else "empty"
            raise LaunchRefused("launch", f"The launch parameter is {what}. Open the app again from the chart.")
        endpoints = await self._endpoints_of(ehr.issuer.issuer)
        authorization = AuthorizationRequest(
            ehr, endpoints, f"{self._public_url}{APP}/callback", secrets.token_urlsafe(48)
        )
        state, secret = sessions.launches.put(authorization, LAUNCH_SECONDS)
        scope = requested_scopes(ehr.issuer, self._types, launched=launch is not None)
        answer = RedirectResponse(authorization_url(authorization, state, scope, launch), _SEE_OTHER, _NO_STORE)
        self._keep(answer, f"launch-{state}", secret, f"{APP}/callback", int(LAUNCH_SECONDS))
        return answer

    async def finish(self, request: Request, sessions: AppSessions) -> Response:
        """Exchange the code for a token and open the session; :class:`LaunchRefused` says what was wrong."""
        parameters = request.query_params
        state = parameters.get("state", "")
        authorization = sessions.launches.take(state, request.cookies.get(f"tandem-launch-{state}", ""))
        if authorization is None:
            raise LaunchRefused(
                "state", "This sign-in has expired, or was started in another browser. Open the app again."
            )
        if "error" in parameters:
            reason = _REFUSALS.get(parameters["error"], "The EHR did not authorize this app.")
            raise LaunchRefused("refused", reason)
        code = parameters.get("code", "")
        if not code or len(code) > _LONGEST:
            what = "a code that is too long" if code else "no code"
            raise LaunchRefused("code", f"The EHR sent {what}. Open the app again.")
        grant = await exchange_code(code, authorization, self._connections)
        answer = self._opened(authorization, grant, sessions)
        self._keep(answer, f"launch-{state}", "", f"{APP}/callback", 0)
        return answer

    def _opened(self, authorization: AuthorizationRequest, grant: TokenGrant, sessions: AppSessions) -> Response:
        issuer = authorization.registration.issuer
        scopes = grant.scope or requested_scopes(issuer, self._types, launched=True)
        try:
            patient = patient_id_from(grant.patient)
        except BadInput:
            raise LaunchRefused(
                "context", "The EHR did not say whose chart it is. Open the app from a chart."
            ) from None
        try:
            access = FhirAccess(issuer.issuer, grant.access_token, authorization.registration.habits, scopes)
        except BadInput:
            raise LaunchRefused("token", "The EHR issued a token with characters that no token may have.") from None
        limit = 60 * issuer.minutes
        seconds = limit if grant.expires_in is None else int(min(limit, grant.expires_in))
        if seconds <= 0:
            raise LaunchRefused("expired", "The EHR issued a token that has already expired.")
        session = AppSession(
            issuer,
            access,
            patient,
            scopes,
            encounter=encounter_reference(grant.encounter),
            author=author_reference(grant.user, issuer.issuer),
        )
        view, secret = sessions.views.put(session, seconds)
        page = f"{self._public_url}{APP}/v/{view}/{self._first_page(grant)}"
        answer = RedirectResponse(page, _SEE_OTHER, _NO_STORE)
        self._keep(answer, view, secret, f"{APP}/v/{view}", seconds)
        return answer

    def _first_page(self, grant: TokenGrant) -> str:
        """The page to open: the subject of the card, if launched from one."""
        context = _context(grant.app_context)
        if context.page not in PAGES:
            return next(iter(PAGES))
        known = context.treatment in self._treatments
        return f"{context.page}?{urlencode({'treatment': context.treatment})}" if known else context.page

    def _ehr(self, iss: str) -> Registration:
        try:
            return self._ehrs[normal_base_url(iss)]
        except (BadInput, KeyError):
            raise LaunchRefused("issuer", "This app is not set up for the EHR that opened it.") from None

    async def _endpoints_of(self, fhir_server: str) -> Endpoints:
        """Asked for once in a while: who floods us with launches shall not flood the EHR."""
        until, endpoints = self._endpoints.get(fhir_server, (0.0, None))
        if endpoints is None or until <= self._seconds():
            endpoints = await discover_endpoints(fhir_server, self._connections)
            self._endpoints[fhir_server] = (self._seconds() + _ENDPOINTS_SECONDS, endpoints)
        return endpoints

    def _keep(self, answer: Response, name: str, secret: str, path: str, seconds: int) -> None:
        """Set a cookie that scripts cannot read; it is partitioned so that it works in another site's frame."""
        secure = self._public_url.startswith("https://")
        rules = "Secure; SameSite=None; Partitioned" if secure else "SameSite=Lax"
        prefix = self._public_url.partition("://")[2].partition("/")[2]
        place = f"/{prefix}{path}" if prefix else path
        answer.headers.append(
            "Set-Cookie", f"tandem-{name}={secret}; Path={place}; Max-Age={seconds}; HttpOnly; {rules}"
        )


def _context(raw: bytes) -> AppContext:
    """The context of a link: an object, or the string form that CDS Hooks uses."""
    return lenient.read(lenient.read(raw, str) or raw, AppContext) or AppContext()
