"""A grammar for the text of a sig: "take 1 and 1/2 tablets by mouth twice daily", "50 mg for 7 days then 100 mg".

Words become tokens by the vocabulary of ``sig_words.yaml``; tokens become doses, frequencies, durations and
changes; these become phases. What the grammar does not understand makes the whole sig unknown, because half of
a sig read with confidence is worse than none. Words without a part in the grammar say nothing and are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, NamedTuple

from fhir_plugin.facts.medications.intakes import LONGEST, Intake, Phase
from fhir_plugin.facts.medications.sig_tokens import Vocabulary, tokens_of
from mappings.medications import Token

MAX_LENGTH = 1000
"""Longer texts are leaflets, not sigs."""

_DIMENSIONS = frozenset(("mg", "unit", "ml"))
_REFUSED = frozenset(("doubt", "unknown"))
_WEEK = 7


class Sig(NamedTuple):
    """What a text sig says."""

    phases: tuple[Phase, ...]
    prn: bool = False
    """Whether all of it is taken only as needed."""
    flags: tuple[str, ...] = ()


class NotUnderstood(Exception):
    """The sig is outside the grammar."""


class _Dose(NamedTuple):
    mg: float | None = None
    units: float | None = None
    ml: float | None = None
    stated: float | None = None


@dataclass(slots=True)
class _Item:
    """One dose with its frequency, while it is being read."""

    dose: _Dose
    per_day: float | None = None
    moments: tuple[str, ...] = ()
    weekdays: int = 0
    prn: bool = False


@dataclass(slots=True)
class _Stage:
    """One phase, while it is being read."""

    items: list[_Item] = field(default_factory=list)
    days: float | None = None
    over: bool = False
    """Whether nothing is taken any more."""


def read_sig(text: str, vocabulary: Vocabulary) -> Sig | None:
    """The phases of a sig; ``None`` where it is empty, too long or not understood."""
    if not text or len(text) > MAX_LENGTH:
        return None
    return _read(tokens_of(text, vocabulary))


@lru_cache(maxsize=4096)
def _read(tokens: tuple[Token, ...]) -> Sig | None:
    """The grammar's answer to a sentence, kept for the next record: the tokens hold no word of the patient's."""
    if not _REFUSED.isdisjoint([token.kind for token in tokens]):
        return None
    try:
        return _Reader(tokens).read()
    except NotUnderstood:
        return None


def forget_sigs() -> None:
    """Empty the store of sentences, so that the next sig is parsed."""
    _read.cache_clear()


def read_frequency(text: str, vocabulary: Vocabulary) -> float | None:
    """Administrations per day of a bare frequency such as ``twice daily``; ``None`` where it is not one."""
    sig = read_sig(f"1 tablet {text}", vocabulary)
    if sig is None or sig.prn or len(sig.phases) != 1 or len(sig.phases[0].intakes) != 1:
        return None
    return sig.phases[0].intakes[0].per_day


class _Reader:
    """Recursive descent over the tokens of one sig."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._kinds = [token.kind for token in tokens]
        self._length = len(tokens)
        self._at = 0
        self._closed: list[_Stage] = []
        self._stage = _Stage()
        self._shift = False
        self._joined = True
        self._flags: list[str] = []
        self._pending = _Item(_Dose())
        self._pending_days: float | None = None
        self._prn_all = False
        self._verb = False

    # reading

    def read(self) -> Sig:
        while self._at < self._length:
            handler = self._HANDLERS.get(self._kinds[self._at])
            if handler is None:
                self._at += 1
            else:
                handler(self)
        self._close()
        return self._finish()

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._kinds[at] if at < self._length else ""

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _skip(self, *kinds: str) -> bool:
        if self._peek() in kinds:
            self._at += 1
            return True
        return False

    # doses

    def _number(self) -> None:
        if self._is_frequency():
            self._counted()
            return
        if self._peek(1) == "period":
            self._set_days(self._quantity() * self._next().value)
            return
        self._add(self._dose())

    def _per(self) -> None:
        self._at += 1
        if self._peek() in _DIMENSIONS:
            self._add(self._with_unit(1.0))
        elif self._peek() == "period":
            self._frequency(1 / self._next().value)

    def _dose(self) -> _Dose:
        amount = self._quantity()
        self._skip("x")
        if self._peek() == "of":
            return self._of_strength(amount)
        if self._peek() == "number" and self._peek(1) == "mg":
            return self._counted_strength(amount)
        if self._peek() == "dash" and self._peek(1) in _DIMENSIONS:
            self._at += 1
        if self._peek() in _DIMENSIONS:
            return self._with_unit(amount)
        return self._elliptic(amount)

    def _quantity(self) -> float:
        """A number, a mixed number or the low end of a range."""
        amount = self._next().value
        if self._mixed():
            amount += self._next().value
        for joint in ("dash", "to", "or"):
            if self._peek() == joint and self._peek(1) == "number" and not self._starts_period(1):
                self._at += 1
                other = self._next().value
                self._flags.append("range_low")
                return min(amount, other)
        return amount

    def _starts_period(self, ahead: int) -> bool:
        return self._peek(ahead + 1) == "period"

    def _mixed(self) -> bool:
        """Whether a fraction follows: ``1 1/2``, ``1-1/2``, ``1 and 1/2``, ``one and a half``."""
        ahead = 0
        if self._peek() in ("and", "dash"):
            ahead = 1
        if self._peek(ahead) == "per" and ahead:
            ahead += 1
        at = self._at + ahead
        if at < len(self._tokens) and self._tokens[at].kind == "number" and 0 < self._tokens[at].value < 1:
            self._at = at
            return True
        return False

    def _of_strength(self, amount: float) -> _Dose:
        """``1/2 of a 100 mg tablet``, ``1/2 of a tablet``."""
        self._at += 1
        self._skip("per")
        if self._peek() == "number" and self._peek(1) == "mg":
            return self._counted_strength(amount)
        if self._peek() in _DIMENSIONS:
            return self._with_unit(amount)
        raise NotUnderstood

    def _counted_strength(self, amount: float) -> _Dose:
        """``2 50 mg tablets``."""
        strength = self._next().value * self._next().value
        self._skip("unit")
        return _Dose(mg=amount * strength, units=amount)

    def _with_unit(self, amount: float) -> _Dose:
        unit = self._next()
        amount *= unit.value
        if unit.kind == "mg":
            return self._beside_milligrams(amount)
        stated = self._stated()
        if unit.kind == "ml":
            return _Dose(ml=amount, mg=stated)
        return _Dose(units=amount, stated=stated)

    def _beside_milligrams(self, mg: float) -> _Dose:
        self._skip_unit_word()
        if self._peek() in ("open", "equals") and self._peek(1) == "number":
            mark = self._at
            self._at += 1
            amount = self._quantity()
            if self._peek() in ("unit", "ml"):
                unit = self._next()
                self._skip("close")
                return _Dose(mg=mg, units=amount) if unit.kind == "unit" else _Dose(mg=mg, ml=amount * unit.value)
            self._at = mark
        return _Dose(mg=mg)

    def _skip_unit_word(self) -> None:
        """``50 mg tablet``: the form of the product, not a count."""
        if self._peek() == "unit":
            self._at += 1

    def _stated(self) -> float | None:
        """``(100 mg)``, ``(100 mg total)``, ``= 100 mg`` after a count of units."""
        mark = self._at
        if self._skip("open", "equals", "of"):
            self._skip("total", "equals")
            if self._peek() == "number" and self._peek(1) == "mg":
                mg = self._next().value * self._next().value
                while self._peek() in ("total", "unit", "per"):
                    self._at += 1
                self._skip("close")
                return mg
        self._at = mark
        return None

    def _elliptic(self, amount: float) -> _Dose:
        """A bare number takes the unit of the dose before it, or is a count of units after a verb."""
        items = self._stage.items or (self._closed[-1].items if self._closed else [])
        if items:
            before = items[-1].dose
            if before.units is not None:
                return _Dose(units=amount, stated=before.stated if before.units == 1 and amount == 1 else None)
            if before.mg is not None:
                return _Dose(mg=amount)
            if before.ml is not None:
                return _Dose(ml=amount)
        if self._verb and self._peek() in ("per_day", "every", "moment", "number", "per", "at", "for"):
            return _Dose(units=amount)
        raise NotUnderstood

    def _add(self, dose: _Dose) -> None:
        if self._shift or (self._stage.days is not None and self._stage.items):
            self._close()
        elif self._stage.items and not self._joined:
            raise NotUnderstood
        waiting = self._pending
        item = _Item(dose, waiting.per_day, waiting.moments, waiting.weekdays)
        self._pending = _Item(_Dose())
        self._stage.items.append(item)
        if self._pending_days is not None:
            self._stage.days, self._pending_days = self._pending_days, None
        self._joined = False

    # frequencies

    def _target(self) -> _Item:
        """The dose that a frequency belongs to; after a change without a new dose, the same dose again."""
        if self._shift:
            if not self._stage.items:
                raise NotUnderstood
            again = self._stage.items[-1].dose
            self._close()
            self._stage.items.append(_Item(again))
        return self._stage.items[-1] if self._stage.items else self._pending

    def _frequency(self, per_day: float) -> None:
        if per_day <= 0:
            raise NotUnderstood
        item = self._target()
        if item.per_day is not None and item.per_day != per_day:
            if item.per_day == 1 or per_day == 1:
                per_day = min(item.per_day, per_day) if min(item.per_day, per_day) < 1 else max(item.per_day, per_day)
            else:
                raise NotUnderstood
        item.per_day = per_day

    def _per_day(self) -> None:
        self._frequency(self._next().value)

    def _is_frequency(self) -> bool:
        ahead = 3 if self._peek(1) in ("dash", "to", "or") and self._peek(2) == "number" else 1
        if self._peek(ahead) == "times":
            return True
        return self._peek(ahead) == "x" and self._peek(ahead + 1) in ("per_day", "period", "per")

    def _counted(self) -> None:
        """``3 times a day``, ``2x daily``, ``3 times weekly``."""
        times = self._quantity()
        self._at += 1
        self._skip("per", "every")
        if self._peek() == "per_day":
            self._frequency(times * self._next().value)
        elif self._peek() == "period":
            self._frequency(times / self._next().value)
        else:
            raise NotUnderstood

    def _every(self) -> None:
        self._at += 1
        if self._peek() == "number":
            first = self._next().value
            if self._peek() in ("dash", "to", "or") and self._peek(1) == "number":
                self._at += 1
                first = max(first, self._next().value)
            if self._peek() != "period" or not first:
                raise NotUnderstood
            self._frequency(1 / (first * self._next().value))
        elif self._peek() == "period":
            self._frequency(1 / self._next().value)
        elif self._peek() == "moment":
            self._moments()
        elif self._peek() == "weekday":
            self._weekdays()
        elif self._peek() == "per_day":
            self._per_day()

    def _moments(self) -> None:
        item = self._target()
        item.moments = (*item.moments, self._next().name)
        while self._peek() in ("and", "comma") and self._names_moment(1):
            self._at += 1
            while self._peek() != "moment":
                self._at += 1
            item.moments = (*item.moments, self._next().name)

    def _names_moment(self, ahead: int) -> bool:
        while self._peek(ahead) in ("every", "at", "per"):
            ahead += 1
        if self._peek(ahead) == "number" and self._peek(ahead - 1) == "at":
            ahead += 1
        return self._peek(ahead) == "moment"

    def _weekdays(self) -> None:
        item = self._target()
        while self._peek() == "weekday" or (self._peek() in ("and", "comma", "dash") and self._peek(1) == "weekday"):
            if self._next().kind == "weekday":
                item.weekdays += 1
        if item.weekdays > _WEEK:
            raise NotUnderstood

    def _clock(self) -> None:
        """``at 8 am``, ``at bedtime``."""
        self._at += 1
        if self._peek() == "number" and self._peek(1) == "moment":
            self._at += 1

    # durations and changes

    def _for(self) -> None:
        self._at += 1
        if self._peek() == "number" and (
            self._peek(1) == "period" or self._peek(2) == "number" or self._peek(1) == "dash"
        ):
            days = self._quantity()
            self._skip("dash")
            if self._peek() != "period":
                raise NotUnderstood
            self._set_days(days * self._next().value)
        elif self._peek() == "per" and self._peek(1) == "period":
            self._at += 1
            self._set_days(self._next().value)
        elif self._peek() == "period" and self._peek(1) != "number":
            self._set_days(self._next().value)

    def _set_days(self, days: float) -> None:
        if not 0 < days <= LONGEST:
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
            return
        self._lasts(days * self._next().value)

    def _lasts(self, days: float) -> None:
        if not self._stage.items or (self._stage.days is not None and self._stage.days != days):
            raise NotUnderstood
        self._stage.days = days
        self._shift = True

    def _period(self) -> None:
        """``week 2: 100 mg``, ``on day 8``, ``days 1-7``."""
        period = self._next().value
        if self._peek() != "number":
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

    def _climb(self, item: _Item, step: float, days: float, ceiling: float) -> None:
        mg = item.dose.mg or 0.0
        if (ceiling - mg) / step > MAX_LENGTH:
            raise NotUnderstood
        while mg < ceiling:
            self._stage.days = days
            self._shift = True
            mg = min(mg + step, ceiling)
            self._close()
            self._stage.items.append(_Item(_Dose(mg=mg), item.per_day, item.moments))

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
        """An optional change is not counted; an optional stop leaves the dose open."""
        while self._at < len(self._tokens) and self._peek() != "break":
            if self._next().kind in ("lower", "stop", "taper"):
                raise NotUnderstood
        self._flags.append("optional_change")

    def _until(self) -> None:
        raise NotUnderstood

    def _total(self) -> None:
        """``total daily dose 150 mg``: a check of what was said, not another dose."""
        self._at += 1
        while self._peek() in ("per_day", "of", "colon", "equals"):
            self._at += 1
        if self._peek() == "number" and self._peek(1) in _DIMENSIONS and self._stage.items:
            self._at += 2
            if self._peek() in ("per", "per_day"):
                self._at += 1
                self._skip("period")

    def _aside(self) -> None:
        """Brackets hold a dose already said, or nothing of ours."""
        self._at += 1
        if self._peek() == "number" and self._peek(1) == "mg" and self._stage.items:
            self._bracketed()
        elif self._peek() == "total":
            self._total()

    def _bracketed(self) -> None:
        mg = self._next().value * self._next().value
        self._skip("unit")
        self._skip("total")
        item = self._stage.items[-1]
        if item.dose.units is None or item.dose.stated is not None or item.dose.mg is not None:
            raise NotUnderstood
        item.dose = item.dose._replace(stated=mg)
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

    # closing

    def _close(self) -> None:
        if self._stage.items or self._stage.over:
            self._closed.append(self._stage)
        self._stage = _Stage()
        self._shift = False
        self._joined = True

    def _finish(self) -> Sig:
        stages = self._closed
        items = [item for stage in stages for item in stage.items]
        if not items or (self._pending_days is not None and len(stages) == 0):
            raise NotUnderstood
        if self._prn_all or all(item.prn for item in items):
            return Sig((), prn=True, flags=("prn",))
        if any(stage.days is None for stage in stages[:-1]):
            raise NotUnderstood
        self._fill_frequencies(stages)
        if any(item.prn for item in items):
            self._flags.append("prn")
        phases = tuple(
            Phase(tuple(self._intake(item) for item in stage.items if not item.prn), stage.days) for stage in stages
        )
        return Sig(phases, flags=tuple(dict.fromkeys(self._flags)))

    def _fill_frequencies(self, stages: list[_Stage]) -> None:
        """A dose without a frequency takes the one after it in its phase, then the one of a neighbouring phase."""
        for stage in stages:
            later: _Item | None = None
            for item in reversed(stage.items):
                if not _timed(item) and later is not None:
                    item.per_day, item.moments, item.weekdays = later.per_day, later.moments, later.weekdays
                later = item if _timed(item) else later
        self._between_phases(stages)
        self._between_phases(stages[::-1])
        untimed = [item for stage in stages for item in stage.items if not _timed(item)]
        if not untimed:
            return
        if any(item.dose.mg is None for item in untimed) or stages[0].days is None:
            raise NotUnderstood
        for item in untimed:
            item.per_day = 1.0
        self._flags.append("frequency_assumed")

    def _between_phases(self, stages: list[_Stage]) -> None:
        known: _Item | None = None
        for stage in stages:
            for item in stage.items:
                if not _timed(item) and known is not None and len(stage.items) == 1:
                    item.per_day, item.moments, item.weekdays = known.per_day, known.moments, known.weekdays
            known = stage.items[-1] if len(stage.items) == 1 and _timed(stage.items[-1]) else known

    def _intake(self, item: _Item) -> Intake:
        dose = item.dose
        moments = tuple(sorted(set(item.moments)))
        return Intake(self._rate(item, len(moments)), dose.mg, dose.units, dose.ml, dose.stated, moments)

    def _rate(self, item: _Item, moments: int) -> float:
        rate = item.per_day
        if rate is None:
            rate = float(moments or 1)
        elif moments and rate >= 1 and rate != moments:
            self._flags.append("frequency_conflict")
            rate = min(rate, float(moments))
        if item.weekdays and rate >= 1:
            rate *= item.weekdays / _WEEK
        elif item.weekdays > 1:
            raise NotUnderstood
        return rate

    _HANDLERS: ClassVar[Mapping[str, Callable[[_Reader], None]]] = {
        "number": _number,
        "per": _per,
        "per_day": _per_day,
        "every": _every,
        "moment": _moments,
        "weekday": _weekdays,
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
        "at": _clock,
        "until": _until,
        "mg": _stray,
        "unit": _stray,
        "ml": _stray,
    }
    """What each kind of token does where it begins something."""


def _timed(item: _Item) -> bool:
    return item.per_day is not None or bool(item.moments) or bool(item.weekdays)
