"""Draft orders as clients really send them: unfinished, often not valid FHIR, always answered.

Each member that matters is decoded by itself; one that does not decode is as good as absent. The bytes of the draft
are kept, because a suggestion that updates it must send back everything that the client sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw

from fhir_plugin.drafts.drugs import DraftedProduct, Drugs, drafted_product, drugs_of_bundle, drugs_of_medications
from fhir_plugin.drafts.members import NOTHING, text
from fhir_plugin.record.datatypes import Annotation, CodeableConcept, Coding, Dosage, Quantity, Reference, Timing
from fhir_plugin.record.lenient import read, several
from fhir_plugin.record.resources import Medication

WITHDRAWN = frozenset({"cancelled", "stopped", "revoked", "ended", "entered-in-error"})
"""Statuses of FHIR R4 and R5 requests in which nothing is ordered any more."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One draft order of the patient in context."""

    reference: str
    """``Type/id``."""
    resource_type: str
    full_url: str | None = None
    status: str | None
    concepts: tuple[CodeableConcept, ...]
    """What is ordered: the code or the medication, wherever the draft says it."""
    form: str = ""
    """The pharmaceutical form of the drug, in words."""
    unresolved: str | None = None
    """The reference to the drug, where nobody could say what it is."""
    dosage: tuple[Dosage, ...]
    timing: Timing | None = None
    """When a service takes place."""
    quantity: Quantity | None = None
    """How much of a service is ordered."""
    notes: tuple[str, ...] = ()
    raw: Raw
    """The draft as the client sent it."""

    @property
    def is_bare(self) -> bool:
        """Whether it says what, and neither how much nor when: a name that was picked from a list."""
        return not self.dosage and self.timing is None and self.quantity is None

    @property
    def codings(self) -> tuple[Coding, ...]:
        """All codings of what is ordered."""
        return tuple(coding for concept in self.concepts for coding in concept.coding)

    @property
    def text(self) -> str:
        """What is ordered, in the client's words."""
        return next((concept.label for concept in self.concepts if concept.label), "")

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that what is ordered is called: a text such as ``per protocol`` hides the name of its code."""
        said = (word for each in self.concepts for word in (each.text, *(coding.display for coding in each.coding)))
        return tuple(dict.fromkeys(word for word in said if word))

    @property
    def routes(self) -> tuple[str, ...]:
        """The routes in words."""
        every = (dosage.route for dosage in self.dosage if dosage.route)
        said = (word for each in every for word in (each.text, *(coding.display for coding in each.coding)))
        return tuple(dict.fromkeys(word for word in said if word))


class Drafts(msgspec.Struct, frozen=True, kw_only=True):
    """The draft orders that could be read, and those that are not to be answered."""

    drafts: tuple[Draft, ...] = ()
    foreign: tuple[str, ...] = ()
    """``Type/id`` of drafts for somebody other than the patient in context."""
    withdrawn: tuple[str, ...] = ()
    """``Type/id`` of drafts that are cancelled, ended, in error, or order that something is not done."""
    unreadable: int = 0


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


def read_drafts(entries: Iterable[tuple[str | None, Raw]], patient_id: str) -> Drafts:
    """Read ``(fullUrl, resource)`` pairs of a draft Bundle; what is not to be answered is dropped and counted."""
    orders = [(full_url, members, raw) for full_url, raw in entries if (members := _members(raw)) is not None]
    drugs = drugs_of_bundle((url, raw) for url, members, raw in orders if text(members.resource_type) == "Medication")
    drafts: list[Draft] = []
    foreign: list[str] = []
    withdrawn: list[str] = []
    unreadable = 0
    for full_url, members, raw in orders:
        kind = text(members.resource_type)
        if not kind:
            unreadable += 1
        elif kind == "Medication":
            continue
        elif not _is_about(members, patient_id):
            foreign.append(_reference(kind, members, full_url))
        elif text(members.status) in WITHDRAWN or read(members.do_not_perform, bool):
            withdrawn.append(_reference(kind, members, full_url))
        else:
            drafts.append(_draft(kind, full_url, members, raw, drugs))
    return Drafts(drafts=tuple(drafts), foreign=tuple(foreign), withdrawn=tuple(withdrawn), unreadable=unreadable)


def selected(drafts: Drafts, selections: Iterable[str]) -> Drafts:
    """The drafts that ``selections`` names: as ``Type/id``, a bare id, a ``fullUrl``, an absolute or versioned address.

    Selections of which none names any draft leave open what was selected: then all are looked at.
    """
    wanted = {form for each in selections for form in _forms(each)}
    if not wanted:
        return Drafts(unreadable=drafts.unreadable)
    chosen = tuple(each for each in drafts.drafts if _is_chosen(each.reference, each.full_url, wanted))
    withdrawn = tuple(each for each in drafts.withdrawn if _is_chosen(each, None, wanted))
    if not chosen and not withdrawn and not any(_is_chosen(each, None, wanted) for each in drafts.foreign):
        return drafts
    return msgspec.structs.replace(drafts, drafts=chosen, withdrawn=withdrawn)


def with_medications(drafts: Drafts, medications: Mapping[str, Medication]) -> Drafts:
    """The drafts with the drugs that could only be read elsewhere."""
    drugs = drugs_of_medications(medications)
    return msgspec.structs.replace(drafts, drafts=tuple(_with_drug(each, drugs) for each in drafts.drafts))


def _with_drug(draft: Draft, drugs: Drugs) -> Draft:
    drug = drugs.get(draft.unresolved or "")
    if drug is None or not drug.concepts:
        return draft
    return msgspec.structs.replace(
        draft, concepts=draft.concepts + drug.concepts, form=draft.form or drug.form, unresolved=None
    )


def _forms(selection: str) -> Iterable[str]:
    """A selection as it may stand elsewhere: itself, unversioned, its last two parts, its last."""
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
    named = _product(members, drugs)
    return Draft(
        reference=_reference(kind, members, full_url),
        resource_type=kind,
        full_url=full_url,
        status=text(members.status),
        concepts=named.concepts,
        form=named.form,
        unresolved=named.unresolved,
        dosage=several(members.dosage_instruction, Dosage),
        timing=read(members.occurrence_timing, Timing),
        quantity=read(members.quantity_quantity, Quantity),
        notes=_notes(members),
        raw=raw,
    )


def _product(members: _Members, drugs: Drugs) -> DraftedProduct:
    direct = (members.medication_codeable_concept, members.medication, members.code, members.code_codeable_concept)
    return drafted_product(direct, (members.medication_reference,), members.contained, drugs)


def _notes(members: _Members) -> tuple[str, ...]:
    said = (*(note.text for note in several(members.note, Annotation)), text(members.patient_instruction))
    return tuple(each for each in said if each)


def _is_about(members: _Members, patient_id: str) -> bool:
    """Whether the draft names the patient or nobody; a draft belongs to the context that it came in."""
    for raw in (members.subject, members.patient):
        reference = read(raw, Reference)
        if reference is not None and reference.reference:
            path, _, identifier = reference.reference.partition("/_history/")[0].rpartition("/")
            of_a_patient = path.rpartition("/")[2] in ("", "Patient")
            return of_a_patient and identifier == patient_id.removeprefix("Patient/")
    return True
