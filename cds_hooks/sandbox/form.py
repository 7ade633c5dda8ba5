"""The form of the sandbox, parsed leniently and shown again as submitted."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal, get_args

import msgspec
from starlette.datastructures import FormData, UploadFile

from fhir_plugin.errors import BadInput
from fhir_plugin.record.datatypes import UNDECODABLE

Source = Literal["demo", "server", "bundle", "request"]
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
Prefetching = Literal["all", "none", "some"]
JSON_ORDER = "json"
"""The choice of order that means: the JSON in ``drafts``."""


class SandboxForm(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one page; every value is text from a user or an earlier page."""

    source: Source = "demo"
    patient: str = ""
    """Id of the demo patient."""
    server: str = ""
    patient_id: str = ""
    token: str = ""
    """Access token for the FHIR server."""
    bundle: str = ""
    request: str = ""
    """A whole request, such as that of a replay file; its hook and drafts are replaced by those of the form."""
    hook: str = "order-sign"
    order: str = ""
    drafts: str = ""
    """A Bundle of draft orders, or one order, as JSON."""
    user: str = "Practitioner/demo"
    encounter: str = ""
    prefetching: Prefetching = "all"
    prefetched: tuple[str, ...] = ()
    with_server: bool = True
    as_of: str = ""
    view: str = "findings"
    answer: str = ""
    """The answer to the call before, as JSON."""
    service: str = ""
    """The service that returned it."""
    overridden: str = ""
    """Summaries of the overridden cards with reasons, as JSON."""
    exchanges: str = ""
    """The feedback that was sent, as JSON."""

    @property
    def day(self) -> date | None:
        """The day to answer for; ``None`` for today. :class:`BadInput` for an invalid day."""
        if not self.as_of:
            return None
        try:
            day = date.fromisoformat(self.as_of)
        except ValueError:
            raise BadInput("the day to answer for must be written YYYY-MM-DD") from None
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise BadInput(f"the day to answer for must lie between {_FIRST_YEAR} and {_LAST_YEAR}")
        return day


_MANY, _FLAGS = frozenset({"prefetched"}), frozenset({"with_server"})
_CHOICES: dict[str, tuple[str, ...]] = {"source": get_args(Source), "prefetching": get_args(Prefetching)}


def read_form(data: FormData) -> SandboxForm:
    """The submitted form; a value that is not a choice of its field is ignored."""
    values: dict[str, Any] = {}
    for name in SandboxForm.__struct_fields__:
        values_given = [value for value in data.getlist(name) if isinstance(value, str)]
        if name in _MANY:
            values[name] = tuple(values_given)
        elif name in _FLAGS:
            values[name] = bool(values_given)
        elif values_given and values_given[-1] in _CHOICES.get(name, (values_given[-1],)):
            values[name] = values_given[-1].strip()
    return SandboxForm(**values)


async def read_upload(data: FormData, name: str) -> bytes:
    """The bytes of the uploaded file; :class:`BadInput` if there is none."""
    upload = data.get(name)
    content = await upload.read() if isinstance(upload, UploadFile) else b""
    if not content:
        raise BadInput("choose a file first")
    return content


class _File(msgspec.Struct):
    request: dict[str, Any] | None = None
    as_of: str = ""
    hook: str = ""
    context: dict[str, Any] = {}


def form_from_file(form: SandboxForm, content: bytes) -> SandboxForm:
    """The form filled from a file: a replay file or a CDS Hooks request.

    :raises BadInput: the file is neither.
    """
    try:
        request = msgspec.json.decode(content, type=dict[str, Any])
        file = msgspec.convert(request, _File)
        request = request if file.request is None else file.request
        call = msgspec.convert(request, _File)
    except UNDECODABLE:
        raise BadInput("the file is neither a replay file nor a CDS Hooks request") from None
    if not call.hook or not call.context:
        raise BadInput("the file is neither a replay file nor a CDS Hooks request")
    drafts = call.context.get("draftOrders")
    return msgspec.structs.replace(
        form,
        source="request",
        request=_indented(request),
        hook=call.hook,
        order=JSON_ORDER if drafts else "",
        drafts=_indented(drafts) if drafts else "",
        as_of=file.as_of,
        overridden="",
        exchanges="",
    )


def _indented(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
