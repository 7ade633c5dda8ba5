"""Every answer set of PHQ-9 and GAD-7, and every blank of the QIDS-SR16, against an independent count."""

from __future__ import annotations

from itertools import product

import pytest

from fhir_plugin.scales.formulas import evaluate
from mappings.schema.instruments import Instruments


@pytest.mark.parametrize("name", ["phq9", "gad7"])
def test_every_answer_set_gives_its_sum(instruments: Instruments, name: str) -> None:
    instrument = instruments[name]
    wrong = [
        answers
        for answers in product(range(4), repeat=len(instrument.items))
        if (result := evaluate(instrument, answers)).total != sum(answers) or result.missing
    ]
    assert wrong == []


def test_qids_misses_a_domain_only_when_all_of_it_is_blank(instruments: Instruments) -> None:
    instrument = instruments["qids_sr16"]
    domains = [[0, 1, 2, 3], [4], [5, 6, 7, 8], [9], [10], [11], [12], [13], [14, 15]]
    for kept in product((True, False), repeat=16):
        values = [1 if keep else None for keep in kept]
        whole = all(any(kept[place] for place in domain) for domain in domains)
        assert evaluate(instrument, values).total == (9 if whole else None)
