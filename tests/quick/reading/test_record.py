"""How completely the inputs of a record were read."""

from dataclasses import replace

from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.record import InputState
from tests.support.reading.material import bundle, patient, resource


def test_how_completely_inputs_were_read_is_that_of_this_record_and_of_these_inputs() -> None:
    places = ("conditions", "devices")
    whole = record_from_bundle(bundle(patient(), resource("Condition")))
    assert (whole.gaps(places), whole.unread_of(places)) == ((), ())
    assert whole.looked_in(*places) == ("conditions (1)", "devices (0)")
    assert whole.looked_in("conditions") == ("conditions (1)",)
    part = replace(whole.input("conditions"), state=InputState.PARTIAL, why="no scope", resources=())
    less = replace(whole, inputs={**whole.inputs, "conditions": part})
    for _ in range(2):
        assert less.gaps(places) == ("conditions: partial (no scope)",)
        assert less.unread_of(places) == ("conditions",)
        assert less.looked_in(*places) == ("conditions (0)", "devices (0)")
    assert whole.gaps(places) == ()
