"""Draft orders as clients really send them: unfinished, often not valid FHIR, always answered.

The members that matter are decoded one by one. One that does not decode counts as absent; within a dosage, a timing or
a quantity what can be read is read, and the paths of what cannot are kept. The bytes of the draft are kept, because a
suggestion that updates it must send back everything that the client sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property

import msgspec
from msgspec import Raw

from fhir_plugin.drafts.dosages import read_dosages, read_quantity, read_timing
from fhir_plugin.drafts.drugs import DraftedProduct, Drugs, drafted_product, drugs_of_bundle, drugs_of_medications
from fhir_plugin.drafts.forgiving import MemberPath
from fhir_plugin.drafts.members import NOTHING, concepts, listed, read, text
from fhir_plugin.drafts.reasons import DraftReasons, reasons_of
from fhir_plugin.record.datatypes import Annotation, CodeableConcept, Coding, Dosage, Quantity, Reference, Timing
from fhir_plugin.record.lenient import decode_all
from fhir_plugin.record.resources import Medication
from fhir_plugin.record.subjects import SubjectChecker, SubjectMatch

WITHDRAWN = frozenset({"cancelled", "stopped", "revoked", "ended", "entered-in-error"})
"""Statuses of FHIR R4 and R5 requests that no longer order anything."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One draft order of the patient in context; its words are put together once."""

    reference: str
    """``Type/id``."""
    resource_type: str
    full_url: str | None = None
    status: str | None
    concepts: tuple[CodeableConcept, ...]
    """What is ordered: the code or the medication, from whichever member the draft uses."""
    form: str = ""
    """The pharmaceutical form of the drug, in words."""
    unresolved: str | None = None
    """The reference to the drug, where it could not be resolved."""
    drug_unread: bool = False
    """Whether a member for the drug is there and holds neither a name nor a reference that can be read."""
    dosage: tuple[Dosage, ...]
    timing: Timing | None = None
    """When a service takes place."""
    quantity: Quantity | None = None
    """How much of a service is ordered."""
    notes: tuple[str, ...] = ()
    additions: tuple[str, ...] = ()
    """Further instructions of the dosage that are not in its text: additional ones, the method, as needed for what."""
    unread: tuple[MemberPath, ...] = ()
    """Paths of members of the dosage, the timing and the quantity that are there and cannot be read."""
    as_shaped: bool = True
    """Whether dosage, timing and quantity have the shape of R4; any other order is not corrected."""
    reasons: DraftReasons = DraftReasons()
    category: tuple[str, ...] = ()
    """The names of the categories of the order."""
    raw: Raw
    """The draft as the client sent it."""

    @property
    def is_bare(self) -> bool:
        """Whether it has neither dosage, timing nor quantity: a name that was picked from a list."""
        return not self.dosage and self.timing is None and self.quantity is None and not self.unread

    @cached_property
    def codings(self) -> tuple[Coding, ...]:
        """All codings of what is ordered."""
        return tuple(coding for concept in self.concepts for coding in concept.coding)

    @property
    def text(self) -> str:
        """What is ordered, in the client's words."""
        return next((concept.label for concept in self.concepts if concept.label), "")

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All names of what is ordered: a text such as ``per protocol`` may stand beside a code with the real name."""
        return _names(self.concepts)

    @cached_property
    def routes(self) -> tuple[str, ...]:
        """The routes in words."""
        return _names(self.coded_routes)

    @property
    def coded_routes(self) -> tuple[CodeableConcept, ...]:
        """The routes as concepts."""
        return tuple(dosage.route for dosage in self.dosage if dosage.route)

    @cached_property
    def instructions(self) -> tuple[str, ...]:
        """What the dosage says in words."""
        texts = (text for dosage in self.dosage for text in (dosage.text, dosage.patient_instruction))
        return tuple(text for text in (*texts, *self.additions) if text)

    @cached_property
    def everything_said(self) -> str:
        """All words of the order in lower case: names, routes, instructions, notes."""
        return "\n".join((*self.words, *self.routes, *self.instructions, *self.notes)).lower()


def _names(concepts: Iterable[CodeableConcept]) -> tuple[str, ...]:
    """The distinct texts and displays of concepts; of one that has neither, a code that is a name itself."""
    names: dict[str, None] = {}
    for item in concepts:
        shown = [name for name in (item.text, *(coding.display for coding in item.coding)) if name]
        names |= dict.fromkeys(shown or ([item.label] if _NAME.search(item.label) else []))
    return tuple(names)


_NAME = re.compile(r"[^\W\d_]{4}")
"""Letters in a row that make a code a name."""


class Drafts(msgspec.Struct, frozen=True, kw_only=True):
    """The draft orders that could be read, and those that are not answered."""

    drafts: tuple[Draft, ...] = ()
    foreign: tuple[Draft, ...] = ()
    """Drafts for a patient other than the one in context."""
    withdrawn: tuple[str, ...] = ()
    """``Type/id`` of drafts that are cancelled, ended, in error, or marked ``doNotPerform``."""
    unreadable: int = 0
    """Number of entries that hold no order that can be read."""


class _Members(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: Raw = NOTHING
    id: Raw = NOTHING
    status: Raw = NOTHING
    do_not_perform: Raw = NOTHING
    subject: Raw = NOTHING
    patient: Raw = NOTHING
    code: Raw = NOTHING
    code_codeable_concept: Raw = NOTHING
    medication: Raw = NOTHING
    medication_codeable_concept: Raw = NOTHING
    medication_reference: Raw = NOTHING
    contained: Raw = NOTHING
    dosage_instruction: Raw = NOTHING
    occurrence_timing: Raw = NOTHING
    quantity_quantity: Raw = NOTHING
    note: Raw = NOTHING
    patient_instruction: Raw = NOTHING
    category: Raw = NOTHING
    reason_code: Raw = NOTHING
    reason_reference: Raw = NOTHING
    reason: Raw = NOTHING


class _Additions(msgspec.Struct, frozen=True, rename="camel"):
    """Members of a dosage that are read one by one."""

    additional_instruction: Raw = NOTHING
    method: Raw = NOTHING
    as_needed_codeable_concept: Raw = NOTHING
    as_needed_for: Raw = NOTHING


def read_drafts(entries: Iterable[tuple[str | None, Raw]], patient_id: str, base_url: str | None = None) -> Drafts:
    """Read ``(fullUrl, resource)`` pairs of a draft Bundle; drafts that are not answered are dropped and counted.

    ``base_url`` is the FHIR server of the call, on which an absolute subject has to be.
    """
    checker = SubjectChecker(patient_id.removeprefix("Patient/"), base_url)
    found = [(full_url, _members(raw), raw) for full_url, raw in entries]
    orders = [
        (text(members.resource_type), full_url, members, raw) for full_url, members, raw in found if members is not None
    ]
    drugs = drugs_of_bundle((url, raw) for kind, url, _, raw in orders if kind == "Medication")
    drafts: list[Draft] = []
    foreign: list[Draft] = []
    withdrawn: list[str] = []
    unreadable = len(found) - len(orders)
    for kind, full_url, members, raw in orders:
        if not kind or kind == "Bundle":
            unreadable += 1
        elif kind == "Medication":
            continue
        elif not _is_about(members, checker, absolute=base_url is not None):
            foreign.append(_draft(kind, full_url, members, raw, drugs))
        elif text(members.status) in WITHDRAWN or read(members.do_not_perform, bool):
            withdrawn.append(_reference(kind, members, full_url))
        else:
            drafts.append(_draft(kind, full_url, members, raw, drugs))
    return Drafts(drafts=tuple(drafts), foreign=tuple(foreign), withdrawn=tuple(withdrawn), unreadable=unreadable)


def selected(drafts: Drafts, selections: Iterable[str]) -> Drafts:
    """The drafts that ``selections`` names: as ``Type/id``, a bare id, a ``fullUrl``, an absolute or versioned address.

    If no selection names any draft, or there is none, it is unknown what was selected, and all drafts are considered.
    """
    wanted = {form for selection in selections for form in _forms(selection)}
    chosen = tuple(draft for draft in drafts.drafts if _is_chosen(draft.reference, draft.full_url, wanted))
    withdrawn = tuple(reference for reference in drafts.withdrawn if _is_chosen(reference, None, wanted))
    foreign = any(_is_chosen(draft.reference, draft.full_url, wanted) for draft in drafts.foreign)
    if not chosen and not withdrawn and not foreign:
        return drafts
    return msgspec.structs.replace(drafts, drafts=chosen, withdrawn=withdrawn)


def with_medications(drafts: Drafts, medications: Mapping[str, Medication]) -> Drafts:
    """The drafts with the drugs that were looked up elsewhere."""
    drugs = drugs_of_medications(medications)
    return msgspec.structs.replace(drafts, drafts=tuple(_with_drug(draft, drugs) for draft in drafts.drafts))


def _with_drug(draft: Draft, drugs: Drugs) -> Draft:
    drug = drugs.get(draft.unresolved or "")
    if drug is None or not drug.concepts:
        return draft
    return msgspec.structs.replace(
        draft, concepts=draft.concepts + drug.concepts, form=draft.form or drug.form, unresolved=None
    )


def _forms(selection: str) -> Iterable[str]:
    """The forms of a selection under which a draft may be known: unversioned, its last two parts, its last part."""
    plain = selection.strip().partition("/_history/")[0].rstrip("/")
    parts = plain.split("/")
    return {form for form in (plain, "/".join(parts[-2:]), parts[-1]) if form}


def _is_chosen(reference: str, full_url: str | None, wanted: set[str]) -> bool:
    return reference in wanted or reference.partition("/")[2] in wanted or full_url in wanted


def _members(raw: Raw) -> _Members | None:
    return read(raw, _Members) if bytes(raw) else None


def _reference(kind: str, members: _Members, full_url: str | None) -> str:
    return f"{kind}/{text(members.id) or full_url or '?'}"


def _draft(kind: str, full_url: str | None, members: _Members, raw: Raw, drugs: Drugs) -> Draft:
    product = _product(members, drugs)
    dosages = read_dosages(members.dosage_instruction)
    timing, unread_timing = read_timing(members.occurrence_timing)
    quantity, unread_quantity = read_quantity(members.quantity_quantity)
    unread = (*dosages.unread, *unread_timing, *unread_quantity)
    return Draft(
        reference=_reference(kind, members, full_url),
        resource_type=kind,
        full_url=full_url,
        status=text(members.status),
        concepts=product.concepts,
        form=product.form,
        unresolved=product.unresolved,
        drug_unread=not (product.concepts or product.unresolved) and any(map(_is_filled, _drug_members(members))),
        dosage=dosages.dosages,
        timing=timing,
        quantity=quantity,
        unread=unread,
        as_shaped=dosages.as_shaped and not unread,
        notes=_notes(members),
        additions=_additions(members),
        reasons=reasons_of((members.reason_code, members.reason), members.reason_reference, members.contained),
        category=_names(concepts(members.category)),
        raw=raw,
    )


def _product(members: _Members, drugs: Drugs) -> DraftedProduct:
    concept, medication, reference = _drug_members(members)
    direct = (concept, medication, members.code, members.code_codeable_concept)
    return drafted_product(direct, (reference,), members.contained, drugs)


def _drug_members(members: _Members) -> tuple[Raw, Raw, Raw]:
    return members.medication_codeable_concept, members.medication, members.medication_reference


def _is_filled(raw: Raw) -> bool:
    """Whether a member holds more than nothing, such as ``{}`` before a drug is chosen."""
    return bytes(raw).strip() not in (b"null", b"{}", b"[]", b'""')


def _notes(members: _Members) -> tuple[str, ...]:
    written = (text(raw) or (read(raw, Annotation) or Annotation()).text for raw in listed(members.note))
    notes = (*written, text(members.patient_instruction))
    return tuple(note for note in notes if note)


def _additions(members: _Members) -> tuple[str, ...]:
    texts: list[str] = []
    for dosage in decode_all(listed(members.dosage_instruction), _Additions):
        texts += _names((*concepts(dosage.additional_instruction), *concepts(dosage.method)))
        needed = (*concepts(dosage.as_needed_codeable_concept), *concepts(dosage.as_needed_for))
        texts += (f"as needed for {name}" for name in _names(needed))
    return tuple(texts)


def _is_about(members: _Members, checker: SubjectChecker, *, absolute: bool) -> bool:
    """Whether the draft names the patient or nobody; without a subject it belongs to the context it was sent in.

    ``absolute``: whether a server is known by which an absolute reference can be confirmed.
    """
    return all(
        checker.match_reference(reference) is SubjectMatch.THIS_PATIENT if absolute or "://" not in reference else False
        for raw in (members.subject, members.patient)
        for reference in _references(raw)
    )


def _references(raw: Raw) -> tuple[str, ...]:
    """The references of a subject, also where it is a list, or only the text of a reference."""
    found = (text(one) or (read(one, Reference) or Reference()).reference for one in listed(raw))
    return tuple(reference for reference in found if reference)
