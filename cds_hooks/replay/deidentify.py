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
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import Any

import msgspec

from cds_hooks.replay.days import Calendar
from cds_hooks.replay.drugs import DrugTexts
from cds_hooks.replay.wording import TextRedaction
from fhir_plugin.record import datatypes, resources
from fhir_plugin.record.bundles import RESOURCE_TYPES
from fhir_plugin.record.subjects import reference_parts
from mappings.schema.codes.systems import plain_system
from mappings.schema.codes.vocabulary import Vocabulary
from mappings.schema.medications import Medications

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
_DRUGS = frozenset({"medicationCodeableConcept", "itemCodeableConcept", "medicationReference", "itemReference"})
_SHOWN = frozenset({"code", "coding", "valueCoding", "medicationReference", "itemReference", "reasonReference"})
"""Members whose ``display`` is read; beside any other reference it is mostly the name of a person."""
_TEXTS = frozenset({"text", "display", "valueString", "patientInstruction", "abatementString", "name", "unit"})
_REFERENCES = frozenset({"reference", "fullUrl"})
_TYPES = frozenset(RESOURCE_TYPES) | {"Encounter", "Practitioner", "PractitionerRole", "Group", "CarePlan"}
_LOINC, _UCUM = "http://loinc.org", "http://unitsofmeasure.org"
_OF_HL7 = re.compile(r"http://(?:terminology\.hl7\.org/CodeSystem|hl7\.org/fhir(?:/v[23])?)/[A-Za-z0-9-]+")
"""HL7's own code systems. Those under ``sid`` are of others, and may number people."""
_DEFINED = re.compile(r"http://hl7\.org/fhir/(?:[\w.]+/){0,3}StructureDefinition/[A-Za-z.-]+")
_CODE = re.compile(r"[A-Za-z0-9._:/%{}\[\]-]{1,40}")
_CODE_OF_HL7 = re.compile(r"[a-z]+(?:-[a-z]+)*|[A-Z]{1,8}")
_WORD_IN_CODE = re.compile(r"[A-Za-z]{4,}|[A-Z][a-z]+")
"""Letters in a code that could be a name; those of a classification are fewer, or capitals, and beside digits."""
_WORD_IN_UNIT = re.compile(r"[A-Za-z]{4,}|(?!Cel)[A-Z][a-z]{2,}|[A-Z]{2,}")
"""The same in a unit of UCUM, where degrees Celsius are all that looks so."""
_NOT_LISTED = frozenset({"<", "<=", ">=", ">", "next", "exception"})
"""FHIR's own values that the models do not list."""
_WHEN = re.compile(r"(MORN|AFT|EVE)(\.early|\.late)?|NOON|NIGHT|PHS|HS|WAKE|[AP]?C[MDV]?")
"""FHIR's event timings."""
_TIME = re.compile(r"\d\d:\d\d(:\d\d)?")
_DIGITS = 12
_LARGEST, _LARGEST_ANSWER = 1_000_000, 9_999
"""A number beyond these is none that is read, and may be somebody's."""
_ANSWERS = frozenset({"valueInteger", "valueDecimal"})
_NEAREST, _SPREAD = 30, 700
_SHORT_PART, _MOST_DIGITS = 1, 8
_DATE_IN_LINK = re.compile(r"(?:19|20)\d\d[^A-Za-z0-9]?\d")
_DAY_BEGINS = 30, 180
"""Minutes by which a moved day begins later, and ends earlier, than a real one: the least, and how far they differ."""
_IN_A_YEAR = (
    ({"a", "y", "yo", "y/o", "yr", "yrs", "year", "years", "years old", "year old", "an", "ans", "jahr", "jahre"}, 1),
    ({"mo", "month", "months"}, 12),
    ({"wk", "wks", "week", "weeks"}, 52),
    ({"d", "day", "days"}, 365),
)
"""Units in which an age is given, and how many of them are a year."""


class Deidentifier:
    """De-identifies requests; the same secret gives the same replacements."""

    def __init__(self, secret: bytes, vocabulary: Vocabulary, medications: Medications) -> None:
        self._secret = secret
        self._vocabulary = vocabulary
        self._wording = TextRedaction(vocabulary)
        self._drugs = DrugTexts(vocabulary, medications)
        self._oldest = int(vocabulary.rules.oldest.value)
        self._enumerations = _enumerations()

    def replaced(self, identity: str) -> str:
        """The replacement for an identifier."""
        return hmac.new(self._secret, identity.encode(), hashlib.sha256).hexdigest()[:_DIGITS]

    def calendar(self, patient: str, as_of: date) -> Calendar:
        """How the dates of a patient are moved for a call of this day: by never less than a month."""
        digest = hmac.new(self._secret, b"dates " + patient.encode(), hashlib.sha256).digest()
        shift = timedelta(days=-(_NEAREST + int.from_bytes(digest[:4], "big") % _SPREAD))
        least, differing = _DAY_BEGINS
        later, earlier = (least + int.from_bytes(part, "big") % differing for part in (digest[4:8], digest[8:12]))
        return Calendar(shift, later, earlier, as_of + shift, self._oldest)

    def request(self, request: dict[str, Any], patient: str, as_of: date) -> dict[str, Any]:
        """The de-identified request about ``patient``, made on this day: hook, context and prefetch."""
        calendar = self.calendar(patient, as_of)
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
            kept["draftOrders"] = self._resource(context["draftOrders"], calendar) or {}
        prefetch = {name: self._resource(value, calendar) for name, value in request["prefetch"].items()}
        return {"hook": request["hook"], "hookInstance": "replay", "context": kept, "prefetch": prefetch}

    def _resource(self, resource: Any, calendar: Calendar) -> dict[str, Any] | None:
        kept = self._walk("resource", resource, calendar)
        return kept if isinstance(kept, dict) else None

    def _walk(self, key: str, value: Any, calendar: Calendar) -> Any:
        """The part of a value that is kept; ``None`` for nothing."""
        if isinstance(value, dict):
            return self._object(key, value, calendar)
        if isinstance(value, list):
            return [kept for item in value if (kept := self._walk(key, item, calendar)) is not None] or None
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if abs(value) <= (_LARGEST_ANSWER if key in _ANSWERS else _LARGEST) else None
        return self._text(key, value, calendar) if isinstance(value, str) else None

    def _object(self, key: str, node: dict[str, Any], calendar: Calendar) -> dict[str, Any] | None:
        kind = node.get("resourceType")
        if kind is not None and (kind in _EXCLUDED_TYPES or kind not in {*RESOURCE_TYPES, "Bundle"}):
            return None
        kept = {
            name: value
            for name, member in node.items()
            if name in _declared_members() and name not in ("system", "code")
            if not _is_of_a_person(key, name, member)
            if (value := self._walk(name, member, calendar)) is not None
        }
        kept |= self._coded(node, calendar)
        if key in _DRUGS:
            self._drugs.name(node, kept)
        elif kind == "Medication":
            self._drugs.name(node.get("code"), kept.get("code"))
        return self._with_age_capped(node, kept) or None

    def _with_age_capped(self, node: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
        """A time of years is an age: one that points to a person becomes the highest that is kept."""
        value = kept.get("value")
        if not isinstance(value, int | float):
            return kept
        units = {text.lower().strip(" []{}.") for text in _texts(node, "code", "unit")}
        most = next((self._oldest * many for names, many in _IN_A_YEAR if units & names), value)
        return {**kept, "value": most} if value > most else kept

    def _coded(self, node: dict[str, Any], calendar: Calendar) -> dict[str, Any]:
        """``system`` and ``code``: a code of an unknown system could contain anything."""
        system, code = node.get("system"), node.get("code")
        kept: dict[str, Any] = {}
        known = isinstance(system, str) and self._is_known(system)
        if isinstance(system, str):
            kept["system"] = plain_system(system) if known else "urn:other"
        if isinstance(code, dict | list):
            within = self._walk("code", code, calendar)
            return kept | ({"code": within} if within is not None else {})
        if isinstance(code, str):
            kept["code"] = (
                code if self._is_readable(plain_system(system) if known else None, code) else self.replaced(code)
            )
        return kept

    def _is_known(self, system: str) -> bool:
        plain = plain_system(system) or ""
        return plain in self._vocabulary.systems or plain in (_LOINC, _UCUM) or bool(_OF_HL7.fullmatch(plain))

    def _is_readable(self, system: str | None, code: str) -> bool:
        """Whether a code may be kept: one that its known system can have, of FHIR, or a word that is nobody's name."""
        known = self._vocabulary
        if code in self._enumerations or known.is_plain(code.lower()):
            return True
        if system is None or not _CODE.fullmatch(code):
            return False
        if _OF_HL7.fullmatch(system) and _CODE_OF_HL7.fullmatch(code):
            return True
        if system == _UCUM:
            words = _WORD_IN_UNIT.findall(code)
            return code.lower() in known.measured_in or all(
                word.lower() in known.measured_in | known.units for word in words
            )
        return not code.isalpha() and all(known.is_plain(word.lower()) for word in _WORD_IN_CODE.findall(code))

    def _text(self, key: str, text: str, calendar: Calendar) -> str | None:
        if key in _DATES:
            return calendar.moved_birth(text) if key == "birthDate" else calendar.moved(text)
        if key == "id":
            return self.replaced(text)
        if key in _REFERENCES:
            return self._reference(text)
        if key in _TEXTS:
            return self._words(key, text)
        if key == "linkId":
            return text if _is_link(text, self._vocabulary) else self.replaced(text)
        if key in ("url", "questionnaire", "definition"):
            return self._address(text)
        if key == "resourceType" or (key == "when" and _WHEN.fullmatch(text)):
            return text
        if key == "timeOfDay" and _TIME.fullmatch(text):
            return calendar.moved_time(text)
        return text if text in self._enumerations else None

    def _words(self, key: str, text: str) -> str:
        """What is kept of words; a unit is kept as it is written."""
        is_unit = key == "unit" and text.strip().lower() in self._vocabulary.measured_in
        return text if is_unit else self._wording.without_names(text)

    def _address(self, text: str) -> str | None:
        """A canonical address: unchanged if it is FHIR's own, otherwise its last part if that names an instrument."""
        if text == NEXT_PAGE or self._is_known(text) or _DEFINED.fullmatch(text):
            return text
        last = text.partition("|")[0].rstrip("/").rpartition("/")[2]
        return f"Questionnaire/{last}" if _is_link(last, self._vocabulary) else None

    def _reference(self, text: str) -> str:
        if text.startswith("#"):
            return f"#{self.replaced(text[1:])}"
        _, kind, identity = reference_parts(text)
        name = self.replaced(identity or text)
        return f"{kind}/{name}" if kind in _TYPES else name if "/" not in text else f"Resource/{name}"


def _is_link(text: str, vocabulary: Vocabulary) -> bool:
    """Whether a linkId consists only of codes, numbers and words of the vocabulary."""
    if not text.isascii() or _DATE_IN_LINK.search(text) or len(re.findall(r"\d", text)) > _MOST_DIGITS:
        return False
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", text) if part]
    letters = [re.sub(r"\d+", "", part).lower() for part in parts]
    return all(len(part) <= _SHORT_PART or vocabulary.is_plain(part) for part in letters)


def _texts(node: dict[str, Any], *names: str) -> Iterator[str]:
    yield from (value for name in names if isinstance(value := node.get(name), str))


def _is_of_a_person(key: str, name: str, member: Any) -> bool:
    """Whether a member is the name of a person: that of the patient, or what a reference to anybody shows."""
    return (name == "name" and not isinstance(member, str)) or (name == "display" and key not in _SHOWN)


@cache
def _declared_members() -> frozenset[str]:
    """The members declared by our views of FHIR: all others are not read, so they are not kept."""
    views = (view for module in (datatypes, resources) for _, view in inspect.getmembers(module, inspect.isclass))
    shapes = [view for view in views if issubclass(view, msgspec.Struct)]
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
