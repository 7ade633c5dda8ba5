"""Charts that Hypothesis draws."""

from hypothesis import strategies as st

from tests.support.knowledge.charts import condition, observation, patient, pressure

CODES = [
    "F33.1",
    "F33.42",
    "F32.A",
    "F20.0",
    "F31.4",
    "F10.20",
    "F10.21",
    "G40.909",
    "I10",
    "I67.1",
    "Z96.82",
    "Z33.1",
    "E11.9",
]


days = st.integers(0, 400).map(lambda back: f"202{5 if back > 150 else 6}-0{1 + back % 5}-{1 + back % 28:02}")


conditions = st.builds(
    lambda code, status, day, n: condition(code, status=status, onsetDateTime=day, id=f"c{n}"),
    st.sampled_from(CODES),
    st.sampled_from(["active", "resolved", None]),
    days,
    st.integers(0, 9999),
)


pressures = st.builds(pressure, st.integers(95, 190), st.integers(50, 94), days)


scores = st.builds(lambda total, day: observation("44261-6", total, "{score}", day), st.integers(0, 27), days)


devices = st.sampled_from(["43252007", "25937001", "72506001"]).map(
    lambda code: {
        "resourceType": "Device",
        "id": f"d{code}",
        "type": {"coding": [{"system": "http://snomed.info/sct", "code": code}]},
    }
)


contents = st.lists(st.one_of(conditions, pressures, scores, devices), max_size=12).map(
    lambda found: [patient(), *found]
)
