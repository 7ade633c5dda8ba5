"""The grammar of a sig: doses, durations, changes of the dose, as-needed use, and what is refused.

1. Tokens are read from left to right. The kind of a token chooses the handler of the clause that it begins; tokens
   without a handler are skipped.
2. A sig is a list of phases; a phase is a list of doses taken together, with a duration. A frequency belongs to the
   dose before it, or to the next one if none was read yet.
3. A duration, ``then``, an increase or a reduction ends the phase at the next dose. All phases but the last need a
   duration.
4. A ramp (``increase by 25 mg every week to 100 mg``) becomes one phase per step.
5. A dose without a frequency takes that of the next dose in its phase, else that of a neighbouring phase. Where there
   is none, doses in mg of a sig whose first phase has a duration are read as once daily, and flagged.
6. Of a range the low end is read, and flagged.
7. Days that are restricted in a way that the grammar does not know (``when anxious``, ``2 weeks each month``) raise
   `Restricted`: the dose over time is not known, whatever else is written.
8. Anything else that is ambiguous raises `NotUnderstood`, which makes the whole sig unknown.

Example: ``take 1 tablet daily for 7 days then 2 tablets daily`` is two phases: 1 unit once a day for 7 days, then 2
units once a day without an end. ``take 1 tablet daily until gone`` is not understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from msgspec.structs import replace

from fhir_plugin.facts.medications.intakes import MAX_DURATION_DAYS
from fhir_plugin.facts.medications.sigs.doses import DIMENSIONS
from fhir_plugin.facts.medications.sigs.frequencies import FrequencyParser
from fhir_plugin.facts.medications.sigs.stages import NotUnderstood, Restricted, Sig, SigDose, SigItem, sig_of

_MAX_RAMP_STEPS = 100
"""A ramp with more steps is not believed to be a titration."""


class SigParser(FrequencyParser):
    """Recursive descent over the tokens of one sig."""

    def read(self) -> Sig:
        while self._at < self._length:
            handler = self._HANDLERS.get(self._kinds[self._at])
            if handler is None:
                self._at += 1
            else:
                handler(self)
        self._close()
        return sig_of(self._closed, self._flags, as_needed=self._prn_all)

    def _number(self) -> None:
        following = self._peek(1)
        if following in DIMENSIONS:
            self._add(self._dose())
        elif self._is_frequency():
            self._counted()
        elif following == "period" or (following == "dash" and self._peek(2) == "period"):
            amount = self._next().value
            self._skip("dash")
            self._lasting(amount, self._next().value)
        else:
            self._add(self._dose())

    def _lasting(self, amount: float, period: float) -> None:
        """Days that pass, that come again every week, or a time of day (``1 hour before bedtime``)."""
        if period < 1 and self._peek() in ("before", "after") and self._peek(1) in ("moment", "meals"):
            self._at += 1
        elif period != 1 or not self._recur(amount):
            if period != 1 and self._repeats_after() > amount * period:
                raise Restricted
            self._set_days(amount * period)

    def _per(self) -> None:
        self._at += 1
        if self._peek() in DIMENSIONS:
            self._add(self._with_unit(1.0))
        elif self._peek() == "period":
            self._frequency(1 / self._next().value)

    def _for(self) -> None:
        self._at += 1
        if self._peek() == "number" and (
            self._peek(1) == "period" or self._peek(2) == "number" or self._peek(1) == "dash"
        ):
            days = self._quantity()
            self._skip("dash")
            if self._peek() != "period":
                raise NotUnderstood
            self._lasting(days, self._next().value)
        elif self._peek() == "per" and self._peek(1) == "period":
            self._at += 1
            self._set_days(self._next().value)
        elif self._peek() == "period" and self._peek(1) != "number":
            self._set_days(self._next().value)

    def _set_days(self, days: float) -> None:
        if not 1 <= days <= MAX_DURATION_DAYS:
            raise NotUnderstood
        if self._shift or not self._stage.items:
            self._pending_days = days
        elif self._stage.days is None:
            self._stage.days = days
        else:
            raise NotUnderstood

    def _after(self) -> None:
        self._at += 1
        self._skip("per")
        days = self._quantity() if self._peek() == "number" else 1.0
        if self._peek() != "period":
            if self._peek() not in ("moment", "meals"):
                raise Restricted
            return
        self._lasts(days * self._next().value)

    def _lasts(self, days: float) -> None:
        if not self._stage.items or (self._stage.days is not None and self._stage.days != days):
            raise NotUnderstood
        self._stage.days = days
        self._shift = True

    def _period(self) -> None:
        """``week 2: 100 mg``, ``on day 8``, ``days 1-7``."""
        token = self._next()
        period = token.value
        if self._peek() != "number":
            if token.name:
                raise Restricted
            return
        first = self._next().value
        last = first
        if self._peek() in ("dash", "to") and self._peek(1) == "number":
            self._at += 1
            last = self._next().value
        start, days = (first - 1) * period, (last - first + 1) * period
        elapsed = sum(stage.days or 0 for stage in self._closed)
        if self._stage.items and self._stage.days is None and start == elapsed:
            self._set_days(days)
            return
        if self._stage.items:
            self._lasts_until(start, elapsed)
        if last > first or period > 1:
            self._pending_days = days

    def _lasts_until(self, start: float, elapsed: float) -> None:
        if self._stage.days is None:
            self._stage.days = start - elapsed
        if self._stage.days + elapsed != start or start <= elapsed:
            raise NotUnderstood
        self._shift = True

    def _then(self) -> None:
        self._at += 1
        if self._stage.items:
            self._shift = True
        self._joined = True

    def _change(self) -> None:
        self._at += 1
        if self._peek() == "by" or not self._stage.items:
            self._ramp()
            return
        self._skip("to")
        self._shift = True

    def _ramp(self) -> None:
        """``increase by 25 mg every week to 100 mg`` after a first dose."""
        if not self._skip("by") or not self._stage.items:
            raise NotUnderstood
        step = self._dose().mg
        item = self._stage.items[-1]
        if self._peek() != "every" or step is None or item.dose.mg is None or len(self._stage.items) != 1:
            raise NotUnderstood
        self._at += 1
        days = (self._next().value if self._peek() == "number" else 1.0) * self._next().value
        self._skip("until")
        self._skip("to")
        ceiling = self._dose().mg if self._peek() == "number" else None
        if ceiling is None or step <= 0 or days < 1 or ceiling < item.dose.mg:
            raise NotUnderstood
        self._climb(item, step, days, ceiling)

    def _climb(self, item: SigItem, step: float, days: float, ceiling: float) -> None:
        mg = item.dose.mg or 0.0
        if (ceiling - mg) / step > _MAX_RAMP_STEPS:
            raise NotUnderstood
        while mg < ceiling:
            self._stage.days = days
            self._shift = True
            mg = min(mg + step, ceiling)
            self._close()
            self._stage.items.append(SigItem(SigDose(mg=mg), item.per_day, item.moments))

    def _stop(self) -> None:
        self._at += 1
        if not self._stage.items:
            raise NotUnderstood
        self._shift = True
        self._close()
        self._stage.over = True

    def _taper(self) -> None:
        self._at += 1
        self._flags.append("taper")

    def _as_needed(self) -> None:
        self._at += 1
        if self._stage.items:
            self._stage.items[-1].prn = True
        else:
            self._prn_all = True

    def _may(self) -> None:
        """An optional increase is not counted; an optional reduction or stop makes the sig unknown."""
        while self._at < len(self._tokens) and self._peek() != "break":
            if self._next().kind in ("lower", "stop", "taper"):
                raise NotUnderstood
        self._flags.append("optional_change")

    def _until(self) -> None:
        raise NotUnderstood

    def _total(self) -> None:
        """``total daily dose 150 mg``: a restatement, not another dose."""
        self._at += 1
        while self._peek() in ("per_day", "of", "colon", "equals"):
            self._at += 1
        if self._peek() == "number" and self._peek(1) in DIMENSIONS and self._stage.items:
            self._at += 2
            if self._peek() in ("per", "per_day"):
                self._at += 1
                self._skip("period")

    def _aside(self) -> None:
        """Brackets hold a restated dose, or nothing that the grammar needs."""
        self._at += 1
        if self._restates_units():
            while self._peek() not in ("close", ""):
                self._at += 1
        elif self._peek() == "number" and self._peek(1) == "mg" and self._stage.items:
            self._bracketed()
        elif self._peek() == "total":
            self._total()

    def _restates_units(self) -> bool:
        """Whether the brackets repeat in mg what the units before them say: ``1-2 tablets (50-100 mg)``."""
        counted = bool(self._stage.items) and self._stage.items[-1].dose.units is not None
        return counted and self._peek() == "number" and self._two_amounts(1 if self._peek(1) != "mg" else 2)

    def _bracketed(self) -> None:
        mg = self._next().value * self._next().value
        self._skip("unit")
        self._skip("total")
        item = self._stage.items[-1]
        if item.dose.units is None or item.dose.stated is not None or item.dose.mg is not None:
            raise NotUnderstood
        item.dose = replace(item.dose, stated=mg)
        self._skip("close")

    def _join(self) -> None:
        self._at += 1
        self._joined = True

    def _take(self) -> None:
        self._at += 1
        self._verb = True
        if self._stage.items and self._joined is False:
            self._joined = True

    def _stray(self) -> None:
        """A unit without a number."""
        if self._stage.items or self._verb is False:
            self._at += 1
            return
        raise NotUnderstood

    _HANDLERS: ClassVar[Mapping[str, Callable[[SigParser], None]]] = {
        **FrequencyParser.HANDLERS,
        "number": _number,
        "per": _per,
        "for": _for,
        "x": _for,
        "after": _after,
        "period": _period,
        "then": _then,
        "raise": _change,
        "lower": _change,
        "stop": _stop,
        "taper": _taper,
        "as_needed": _as_needed,
        "may": _may,
        "total": _total,
        "and": _join,
        "comma": _join,
        "break": _join,
        "dash": _join,
        "verb": _take,
        "open": _aside,
        "until": _until,
        "mg": _stray,
        "unit": _stray,
        "ml": _stray,
    }
    """The handler by kind of the token that begins a clause."""
