"""De-identification of a request by an allow-list: what is not listed here is omitted.

Codes of known systems, FHIR's own enumerations, quantities and structure are kept. Identifiers are replaced and dates
shifted, consistently throughout one patient's request, keyed by a secret of the site. Of text, only words that the
knowledge itself reads remain. This lowers the risk of re-identification; whether it suffices is the site's decision.
"""

from __future__ import annotations

import hashlib
import hmac
import inspect
import re
from datetime import date, timedelta
from functools import cache
from typing import Any

import msgspec

from cds_hooks.replay.wording import without_names
from fhir_plugin.record import resources
from fhir_plugin.record.bundles import RESOURCE_TYPES
from fhir_plugin.record.subjects import reference_parts
from mappings.schema.codes.vocabulary import Vocabulary

NEXT_PAGE = "urn:next-page"
"""The ``next`` link of an input that was read only in part."""

_EXCLUDED_TYPES = frozenset({"Coverage", "Organization"})
_EXCLUDED_MEMBERS = frozenset({"identifier", "alias", "payor", "class", "subscriberId", "diagnostics", "title"})
_BUNDLE = frozenset({"entry", "resource", "link", "relation", "fullUrl", "search", "mode", "type", "resourceType"})
_DATES = frozenset({
    "abatementDateTime", "authored", "authoredOn", "birthDate", "dateAsserted", "deceasedDateTime", "effectiveDateTime",
    "effectiveInstant", "end", "event", "issued", "lastUpdated", "occurrenceDateTime", "onsetDateTime",
    "performedDateTime", "recordedDate", "start", "time", "valueDateTime", "whenHandedOver", "whenPrepared",
})  # fmt: skip
_TEXTS = frozenset({"text", "display", "valueString", "patientInstruction", "abatementString", "name", "unit"})
_REFERENCES = frozenset({"reference", "fullUrl"})
_TYPES = frozenset(RESOURCE_TYPES) | {"Encounter", "Practitioner", "PractitionerRole", "Group", "CarePlan"}
_OF_FHIR = ("http://loinc.org", "http://unitsofmeasure.org", "http://terminology.hl7.org/", "http://hl7.org/fhir/")
_CODE = re.compile(r"[A-Za-z0-9._:/%{}\[\]-]{1,40}")
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)?)?")
_NOT_LISTED = frozenset({"<", "<=", ">=", ">", "next", "exception"})
"""FHIR's own values that the models do not list."""
_WHEN = re.compile(r"[A-Z]{1,5}(\.[a-z]{1,5})?")
_TIME = re.compile(r"\d\d:\d\d(:\d\d)?")
_DIGITS = 12
_LARGEST = 1_000_000
_NEAREST, _SPREAD = 30, 700
_MIDDLE_MONTH, _MIDDLE_DAY = 7, 15
_WITH_MONTH, _WITH_DAY = 2, 3


class Deidentifier:
    """De-identifies requests; the same secret gives the same replacements."""

    def __init__(self, secret: bytes, vocabulary: Vocabulary) -> None:
        self._secret = secret
        self._vocabulary = vocabulary
        self._enumerations = _enumerations()

    def replaced(self, identity: str) -> str:
        """The replacement for an identifier."""
        return hmac.new(self._secret, identity.encode(), hashlib.sha256).hexdigest()[:_DIGITS]

    def shift(self, patient: str) -> timedelta:
        """The date shift of a patient: never zero."""
        digest = hmac.new(self._secret, b"dates " + patient.encode(), hashlib.sha256).digest()
        return timedelta(days=-(_NEAREST + int.from_bytes(digest[:4], "big") % _SPREAD))

    def request(self, request: dict[str, Any], patient: str) -> dict[str, Any]:
        """The de-identified request about ``patient``: hook, context and prefetch."""
        shift = self.shift(patient)
        context = request["context"]
        kept: dict[str, Any] = {
            "userId": self._reference(str(context.get("userId", ""))),
            "patientId": self.replaced(patient),
        }
        if context.get("encounterId"):
            kept["encounterId"] = self.replaced(str(context["encounterId"]))
        if "selections" in context:
            kept["selections"] = [self._reference(str(selection)) for selection in context["selections"]]
        if "draftOrders" in context:
            kept["draftOrders"] = self._resource(context["draftOrders"], shift) or {}
        prefetch = {name: self._resource(value, shift) for name, value in request["prefetch"].items()}
        return {"hook": request["hook"], "hookInstance": "replay", "context": kept, "prefetch": prefetch}

    def _resource(self, resource: Any, shift: timedelta) -> dict[str, Any] | None:
        kept = self._walk("resource", resource, shift)
        return kept if isinstance(kept, dict) else None

    def _walk(self, key: str, value: Any, shift: timedelta) -> Any:
        """The part of a value that is kept; ``None`` for nothing."""
        if isinstance(value, dict):
            return self._object(value, shift)
        if isinstance(value, list):
            return [kept for item in value if (kept := self._walk(key, item, shift)) is not None] or None
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if abs(value) <= _LARGEST else None
        return self._text(key, value, shift) if isinstance(value, str) else None

    def _object(self, node: dict[str, Any], shift: timedelta) -> dict[str, Any] | None:
        kind = node.get("resourceType")
        if kind is not None and (kind in _EXCLUDED_TYPES or kind not in {*RESOURCE_TYPES, "Bundle"}):
            return None
        kept = {
            key: value
            for key, member in node.items()
            if key in _declared_members() and key not in ("system", "code")
            if (value := self._walk(key, member, shift)) is not None
        }
        return {**kept, **self._coded(node, shift)} or None

    def _coded(self, node: dict[str, Any], shift: timedelta) -> dict[str, Any]:
        """``system`` and ``code``: a code of an unknown system could contain anything."""
        system, code = node.get("system"), node.get("code")
        kept: dict[str, Any] = {}
        known = isinstance(system, str) and (system in self._vocabulary.systems or system.startswith(_OF_FHIR))
        if isinstance(system, str):
            kept["system"] = system if known else "urn:other"
        if isinstance(code, dict | list):
            within = self._walk("code", code, shift)
            return kept | ({"code": within} if within is not None else {})
        if isinstance(code, str):
            readable = (
                (known and _CODE.fullmatch(code))
                or code in self._enumerations
                or code.lower() in self._vocabulary.words
            )
            kept["code"] = code if readable else self.replaced(code)
        return kept

    def _text(self, key: str, text: str, shift: timedelta) -> str | None:
        if key in _DATES:
            return _shifted_date(text, shift)
        if key == "id":
            return self.replaced(text)
        if key in _REFERENCES:
            return self._reference(text)
        if key in _TEXTS:
            return without_names(text, self._vocabulary)
        if key == "linkId":
            return text if _is_link(text, self._vocabulary.words) else self.replaced(text)
        if key in ("url", "questionnaire", "definition"):
            return self._address(text)
        if key == "resourceType" or (key == "when" and _WHEN.fullmatch(text)):
            return text
        return text if text in self._enumerations or _TIME.fullmatch(text) else None

    def _address(self, text: str) -> str | None:
        """A canonical address: unchanged if it is FHIR's own, otherwise its last part if that names an instrument."""
        if text == NEXT_PAGE or text in self._vocabulary.systems or text.startswith(_OF_FHIR):
            return text
        last = text.partition("|")[0].rstrip("/").rpartition("/")[2]
        return f"Questionnaire/{last}" if _is_link(last, self._vocabulary.words) else None

    def _reference(self, text: str) -> str:
        if text.startswith("#"):
            return f"#{self.replaced(text[1:])}"
        _, kind, identity = reference_parts(text)
        name = self.replaced(identity or text)
        return f"{kind}/{name}" if kind in _TYPES else name if "/" not in text else f"Resource/{name}"


def _shifted_date(text: str, shift: timedelta) -> str | None:
    """The shifted date with its precision kept; a month or year is shifted from its middle."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, time = match.groups()
    parts = 1 + bool(month) + bool(day)
    try:
        shifted = date(int(year), int(month or _MIDDLE_MONTH), int(day or _MIDDLE_DAY)) + shift
    except (ValueError, OverflowError):
        return None
    if parts == _WITH_DAY:
        return f"{shifted.isoformat()}{time or ''}"
    return shifted.strftime("%Y-%m" if parts == _WITH_MONTH else "%Y")


def _is_link(text: str, words: frozenset[str]) -> bool:
    """Whether a linkId consists only of codes, numbers and words of the vocabulary."""
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", text) if part]
    return all(
        part.isdigit() or re.sub(r"\d+", "", part).lower() in words or len(part) <= _WITH_MONTH for part in parts
    )


@cache
def _declared_members() -> frozenset[str]:
    """The members declared by our views of FHIR: all others are not read, so they are not kept."""
    shapes = (view for _, view in inspect.getmembers(resources, inspect.isclass) if issubclass(view, msgspec.Struct))
    declared = {field.encode_name for shape in shapes for field in msgspec.structs.fields(shape)}
    return frozenset(declared | _BUNDLE) - _EXCLUDED_MEMBERS


@cache
def _enumerations() -> frozenset[str]:
    """The values that FHIR defines for members such as ``status``, for all kept types."""
    from fhir.resources.R4B import get_fhir_model_class

    names = (*sorted(_TYPES), "Bundle", "BundleEntrySearch", "OperationOutcomeIssue", "TimingRepeat")
    fields = (field for name in names for field in get_fhir_model_class(name).model_fields.values())
    extras = (field.json_schema_extra for field in fields)
    named: list[Any] = [extra.get("enum_values") for extra in extras if isinstance(extra, dict)]
    return frozenset({value for values in named for value in values or ()} | _NOT_LISTED)
