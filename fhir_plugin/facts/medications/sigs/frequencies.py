"""How often: "twice daily", "every 12 hours", "in the morning and at bedtime", "Monday to Friday", "5 days a week"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from fhir_plugin.facts.medications.sigs.doses import DoseParser
from fhir_plugin.facts.medications.sigs.stages import NotUnderstood, Restricted, SigItem

_WEEK = 7
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MEALS_A_DAY = 3
_BEDTIME = "bedtime"


class FrequencyParser(DoseParser):
    """Parses how often a dose is taken."""

    def _target(self) -> SigItem:
        """The item that a frequency belongs to; after a change without a new dose, the same dose again."""
        if self._shift:
            if not self._stage.items:
                raise NotUnderstood
            again = self._stage.items[-1].dose
            self._close()
            self._stage.items.append(SigItem(again))
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
            if self._tokens[self._at].name:
                raise Restricted
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
        """Days and ranges of days: ``Monday, Wednesday and Friday``, ``Mon-Fri``."""
        item = self._target()
        if item.weekdays and item.moments:
            raise NotUnderstood
        named: set[str] = set()
        last = ""
        while self._peek() == "weekday" or (
            self._peek() in ("and", "comma", "dash", "to", "per", "or") and self._peek(1) == "weekday"
        ):
            token = self._next()
            if token.kind == "or":
                raise Restricted
            if token.kind in ("dash", "to"):
                named |= _days_between(last, self._tokens[self._at].name)
            elif token.kind == "weekday":
                named |= set(token.name.split())
                last = token.name
        item.weekdays += len(named)
        if item.weekdays > _WEEK:
            raise NotUnderstood

    def _recur(self, days: float) -> bool:
        """Whether these days come again: ``5 days a week``. Other days that come again are beyond the grammar."""
        again = self._repeats_after()
        if not again or again <= max(days, 1.0):
            return False
        if again != _WEEK or days != int(days):
            raise Restricted
        self._target().weekdays += int(days)
        return True

    def _repeats_after(self) -> float:
        """The days of a period that follows, as in ``a week``, ``of each month``, ``every 28 days``; else 0."""
        ahead = 0
        while self._peek(ahead) in ("of", "per", "every"):
            ahead += 1
        at, kind = self._at + ahead, self._peek(ahead)
        if kind == "per_day" and 0 < self._tokens[at].value < 1:
            again = 1 / self._tokens[at].value
        elif ahead and kind == "period":
            again = self._tokens[at].value
        elif ahead and kind == "number" and self._peek(ahead + 1) == "period":
            again = self._tokens[at].value * self._tokens[at + 1].value
            at += 1
        else:
            return 0.0
        if again > 1:
            self._at = at + 1
        return again

    def _meals(self) -> None:
        """``before meals and at bedtime`` is four times a day; without a number of meals it says nothing."""
        self._at += 1
        item = self._target()
        item.meals = True
        ahead = 0
        while self._peek(ahead) in ("and", "comma", "at", "every", "per"):
            ahead += 1
        if "and" not in self._kinds[self._at : self._at + ahead] or self._peek(ahead) != "moment":
            return
        if self._tokens[self._at + ahead].name != _BEDTIME:
            return
        if item.per_day not in (None, _MEALS_A_DAY, _MEALS_A_DAY + 1) or item.moments:
            raise NotUnderstood
        self._at += ahead + 1
        item.per_day = _MEALS_A_DAY + 1

    def _before(self) -> None:
        """Before a meal or bedtime; before anything else it restricts the days."""
        self._at += 1
        self._skip("per", "every")
        if self._peek() not in ("moment", "meals"):
            raise Restricted

    def _only(self) -> None:
        """Beside what is timed it adds nothing; elsewhere it restricts the days."""
        before = self._kinds[self._at - 1] if self._at else ""
        self._at += 1
        timed = before in ("per_day", "moment", "weekday", "as_needed", "period")
        if self._peek() in ("weekday", "moment", "at") or (timed and self._peek() in ("", "comma", "break", "close")):
            return
        raise Restricted

    def _restrict(self) -> None:
        """Behind ``as needed`` it only says for what."""
        if not self._at or self._kinds[self._at - 1] != "as_needed":
            raise Restricted
        self._at += 1

    def _clock(self) -> None:
        """``at 8 am``, ``at bedtime``."""
        self._at += 1
        if self._peek() == "number" and self._peek(1) == "moment":
            self._at += 1

    HANDLERS: ClassVar[Mapping[str, Callable[[Any], None]]] = {
        "per_day": _per_day,
        "every": _every,
        "moment": _moments,
        "weekday": _weekdays,
        "at": _clock,
        "meals": _meals,
        "before": _before,
        "only": _only,
        "restrict": _restrict,
    }
    """The handler by kind of the token that begins a frequency."""


def _days_between(first: str, last: str) -> set[str]:
    """The days of ``Mon-Fri``; beyond the grammar if an end is not one day."""
    if first not in _DAYS or last not in _DAYS:
        raise Restricted
    start, end = _DAYS.index(first), _DAYS.index(last)
    return {_DAYS[at % _WEEK] for at in range(start, end + 1 if end >= start else end + _WEEK + 1)}
