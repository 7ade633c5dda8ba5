"""Hostile Bundles: nothing crashes, and nothing about anybody else gets through."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.errors import BadInput, RecordUnavailable
from fhir_plugin.record.bundles import AnyResource, subject_reference
from fhir_plugin.record.decoding import decode_value, record_from_bundle
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Patient
from tests.support.profiles import examples
from tests.support.reading.material import OTHER, PATIENT, TYPES, bundle, patient, resource, to_bytes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["resourceType", "id", "subject", "reference", "entry", "resource", "code", "link", "x"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
references = st.sampled_from(
    [
        f"Patient/{PATIENT}",
        f"Patient/{OTHER}",
        PATIENT,
        OTHER,
        f"https://h/fhir/Patient/{PATIENT}",
        f"https://h/fhir/Patient/{OTHER}",
        f"Patient/{OTHER}/_history/{PATIENT}",
        f"Patient/{OTHER}?x=Patient/{PATIENT}",
        f"urn:uuid:{OTHER}",
        "urn:uuid:a",
        f"Group/{PATIENT}",
        f"#Patient/{PATIENT}",
        None,
    ]
)
kinds = st.sampled_from([*(kind for kind in TYPES if kind != "Patient"), "Practitioner"])
resources = st.builds(resource, kinds, st.integers(1, 5), references) | st.builds(
    patient, st.sampled_from([PATIENT, OTHER])
)
damage = st.dictionaries(
    st.sampled_from(["code", "status", "meta", "id", "extension", "item"]), json_values, max_size=2
)
entries = st.builds(
    lambda made, harm, url: {"fullUrl": url, "resource": {**made, **harm}},
    resources,
    damage,
    st.sampled_from(["urn:uuid:a", "https://h/fhir/Condition/1", "", None]),
)


def assert_mine(kept: AnyResource) -> None:
    """Whatever was kept names this patient and nobody else."""
    if isinstance(kept, Patient):
        assert kept.id == PATIENT
        return
    reference = subject_reference(kept) or ""
    assert OTHER not in reference
    assert not reference.startswith(("#", "Group/"))


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


@given(json_values, st.sampled_from(list(INPUTS)))
def test_any_json_is_answered(value: Any, name: str) -> None:
    try:
        decode_value(name, dumped(value), PATIENT)
    except RecordUnavailable:
        assert name == "patient"


@given(st.binary(max_size=60), st.integers(0, 200), st.sampled_from(list(INPUTS)))
def test_any_bytes_are_answered(noise: bytes, at: int, name: str) -> None:
    good = bundle(resource("Condition"), patient())
    for raw in (noise, good[:at] + noise + good[at:], good[:at]):
        try:
            decode_value(name, raw, PATIENT)
        except RecordUnavailable:
            assert name == "patient"


@examples(3)
@given(st.lists(entries, max_size=8), st.sampled_from([name for name in INPUTS if name != "patient"]))
def test_nothing_about_anybody_else_is_kept(made: list[Any], name: str) -> None:
    decoded = decode_value(name, dumped({"resourceType": "Bundle", "entry": made}), PATIENT, "https://h/fhir")
    for kept in decoded.input.resources:
        assert_mine(kept)


@examples(2)
@given(st.lists(entries, max_size=8))
def test_nothing_about_anybody_else_is_kept_from_a_file(made: list[Any]) -> None:
    record = file_record(made)
    for read in record.inputs.values() if record else ():
        for kept in read.resources:
            assert_mine(kept)


def file_record(made: list[Any]) -> Record | None:
    """The record of a file, or nothing where the file is refused."""
    try:
        return record_from_bundle(dumped({"resourceType": "Bundle", "entry": made}), PATIENT)
    except (BadInput, RecordUnavailable):
        return None


@given(st.lists(st.builds(resource, kinds, st.integers(6, 99), st.just(f"Patient/{OTHER}")), max_size=6), st.randoms())
def test_others_change_nothing_but_the_count(others: list[Any], random: Any) -> None:
    mine = [resource("Condition", number) for number in range(3)]
    mixed = [*mine, *others]
    random.shuffle(mixed)
    alone, together = (decode_value("conditions", bundle(*made), PATIENT) for made in (mine, mixed))
    assert set(alone.input.resources) == set(together.input.resources)
    assert together.input.state == alone.input.state
    assert together.dropped == sum(each["resourceType"] == "Condition" for each in others)


@given(json_values)
def test_one_spoiled_resource_sinks_no_other(harm: Any) -> None:
    spoiled = {"resourceType": "Condition", "id": "bad", "subject": harm}
    raw = to_bytes({"resourceType": "Bundle", "entry": [{"resource": resource("Condition")}, {"resource": spoiled}]})
    decoded = decode_value("conditions", raw, PATIENT)
    assert [kept.id for kept in decoded.input.resources][:1] == ["1"]
