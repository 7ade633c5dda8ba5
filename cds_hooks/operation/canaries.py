"""Canaries: synthetic patients that the running service evaluates at start-up and every hour.

A changed code, an edited table or an emptied value set causes no error: the criteria that depend on it are just never
met. Each demo patient lists the criteria that decide its case; these must be met, and every criterion with a safety
card must be met by at least one of the patients.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from typing import Literal

from cds_hooks.telemetry.logs import fault_fields, log
from mappings.schema.load import Knowledge

State = Literal["not yet", "ok", "silent", "failed"]
HOUR = 3600.0


class Canaries:
    """Evaluates the synthetic patients by each knowledge; ``silent`` lists criteria that should have been met by one of
    them and were not.
    """

    def __init__(self, knowledge: Sequence[Knowledge], today: Callable[[], date]) -> None:
        self.state: State = "not yet"
        self.silent: tuple[str, ...] = ()
        self._knowledge, self._today = knowledge, today
        self._safety = {own.criterion for each in knowledge for own in each.cards.safety}
        self._task: asyncio.Task[None] | None = None

    @property
    def safe(self) -> bool:
        """Whether no safety criterion is known to be silent and the evaluation did not fail."""
        return self.state != "failed" and self._safety.isdisjoint(self.silent)

    async def start(self) -> None:
        """Evaluate now and every hour, in the background."""
        self._task = asyncio.create_task(self._watch())

    async def aclose(self) -> None:
        """Stop the background task."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            found = [await self._look(each) for each in self._knowledge]
            if None not in found:
                self.silent = tuple(sorted({criterion for silent in found for criterion in silent or ()}))
            self.state = "failed" if None in found else "silent" if self.silent else "ok"
            await asyncio.sleep(HOUR)

    async def _look(self, knowledge: Knowledge) -> tuple[str, ...] | None:
        """The criteria that are silent by one knowledge; ``None`` if they could not be looked at."""
        check = asyncio.create_task(asyncio.to_thread(silent_criteria, knowledge, self._today()))
        await asyncio.wait({check})
        digest = knowledge.short_digest
        if fault := check.exception():
            log.error("the canaries could not be looked at", knowledge=digest, **fault_fields(fault))
            return None
        for criterion in check.result():
            log.error("a canary is silent", criterion=criterion, knowledge=digest)
        return check.result()


def silent_criteria(knowledge: Knowledge, as_of: date) -> tuple[str, ...]:
    """The criteria that decide a demo patient or have a safety card and are no longer met. Pure.

    Criteria with numbers of the site's own are left out: the demo patients were written for the built-in numbers.
    """
    from cds_hooks.demo.stories import demo_patients
    from fhir_plugin.deciding.assess import assess
    from fhir_plugin.deciding.finding import Verdict
    from fhir_plugin.facts.read import read_facts
    from fhir_plugin.record.decoding import record_from_bundle

    safety: set[str] = {own.criterion for own in knowledge.cards.safety}
    silent, met_by_any = set[str](), set[str]()
    for patient in demo_patients(as_of):
        findings = assess(read_facts(record_from_bundle(patient.bundle), knowledge, as_of), knowledge)
        met = {finding.criterion for finding in findings if finding.verdict is Verdict.MET}
        silent |= set(patient.expect.decided_by) - met
        met_by_any |= met
    return tuple(sorted(name for name in silent | (safety - met_by_any) if not knowledge.criteria[name].local))
