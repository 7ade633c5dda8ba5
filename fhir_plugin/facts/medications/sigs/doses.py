"""The amounts of a sig: "1 and 1/2 tablets", "2 tablets (100 mg total)", "5 mL", "1/2 of a 100 mg tablet"."""

from __future__ import annotations

from fhir_plugin.facts.medications.sigs.stages import NotUnderstood, SigDose, SigItem, SigPhase
from mappings.schema.medications import SigToken

DIMENSIONS = frozenset(("mg", "unit", "ml"))
_OF_RANGES = frozenset(("dash", "to", "or"))
_IN_QUANTITIES = _OF_RANGES | {"number", "and"}
"""Kinds of the tokens by which a quantity goes on after its first number."""


class DoseParser:
    """Parses amounts, and holds the tokens of one sig, the position in them and the phases parsed so far."""

    def __init__(self, tokens: tuple[SigToken, ...]) -> None:
        self._tokens = tokens
        self._kinds = [token.kind for token in tokens]
        self._length = len(tokens)
        self._at = 0
        self._closed: list[SigPhase] = []
        self._stage = SigPhase()
        self._shift = False
        self._joined = True
        self._flags: list[str] = []
        self._pending = SigItem(SigDose())
        self._pending_days: float | None = None
        self._prn_all = False
        self._verb = False

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._kinds[at] if at < self._length else ""

    def _next(self) -> SigToken:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _skip(self, *kinds: str) -> bool:
        if self._peek() in kinds:
            self._at += 1
            return True
        return False

    def _dose(self) -> SigDose:
        amount = self._quantity()
        if self._peek() in DIMENSIONS:
            return self._with_unit(amount)
        self._skip("x")
        if self._peek() == "of":
            return self._of_strength(amount)
        if self._peek() == "number" and self._peek(1) == "mg":
            return self._counted_strength(amount)
        if self._peek() == "dash" and self._peek(1) in DIMENSIONS:
            self._at += 1
        if self._peek() in DIMENSIONS:
            return self._with_unit(amount)
        return self._elliptic(amount)

    def _quantity(self) -> float:
        """A number, a mixed number, a counted fraction, or the low end of a range."""
        amount = self._next().value
        if self._peek() not in _IN_QUANTITIES:
            return amount
        if self._counted_fraction():
            amount *= self._next().value
        elif self._mixed():
            amount += self._next().value
        if self._peek() in _OF_RANGES and self._peek(1) == "number" and not self._starts_period(1):
            self._at += 1
            self._flags.append("range_low")
            return min(amount, self._next().value)
        return amount

    def _starts_period(self, ahead: int) -> bool:
        return self._peek(ahead + 1) == "period"

    def _counted_fraction(self) -> bool:
        """Whether a fraction in words follows without ``and``: ``1 half tablet`` is half a tablet."""
        ahead = 1 if self._peek() == "dash" else 0
        at = self._at + ahead
        if self._peek(ahead) == "number" and self._tokens[at].name == "word":
            self._at = at
            return True
        return False

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

    def _of_strength(self, amount: float) -> SigDose:
        """``1/2 of a 100 mg tablet``, ``1/2 of a tablet``."""
        self._at += 1
        self._skip("per")
        if self._peek() == "number" and self._peek(1) == "mg":
            return self._counted_strength(amount)
        if self._peek() in DIMENSIONS:
            return self._with_unit(amount)
        raise NotUnderstood

    def _counted_strength(self, amount: float) -> SigDose:
        """``2 50 mg tablets``."""
        strength = self._next().value * self._next().value
        self._skip("unit")
        return SigDose(mg=amount * strength, units=amount)

    def _with_unit(self, amount: float) -> SigDose:
        unit = self._next()
        amount *= unit.value
        if unit.kind == "mg":
            return self._beside_milligrams(amount)
        stated = self._stated()
        if unit.kind == "ml":
            return SigDose(ml=amount, mg=stated)
        return SigDose(units=amount, stated=stated)

    def _beside_milligrams(self, mg: float) -> SigDose:
        self._skip_unit_word()
        if self._peek() in ("open", "equals") and self._peek(1) == "number":
            mark = self._at
            self._at += 1
            amount = self._quantity()
            if self._peek() in ("unit", "ml"):
                unit = self._next()
                self._skip("close")
                return SigDose(mg=mg, units=amount) if unit.kind == "unit" else SigDose(mg=mg, ml=amount * unit.value)
            self._at = mark
        return SigDose(mg=mg)

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
                if self._two_amounts(0):
                    self._at = mark
                    return None
                while self._peek() in ("total", "unit", "per"):
                    self._at += 1
                self._skip("close")
                return mg
        self._at = mark
        return None

    def _two_amounts(self, ahead: int) -> bool:
        """Whether an amount in mg is joined to the one before: ``50-100 mg``, ``45 mg / 105 mg``."""
        joined = self._peek(ahead) in ("dash", "to", "per")
        return joined and self._peek(ahead + 1) == "number" and self._peek(ahead + 2) == "mg"

    def _elliptic(self, amount: float) -> SigDose:
        """A bare number takes the unit of the previous dose, or counts units after a verb."""
        items = self._stage.items or (self._closed[-1].items if self._closed else [])
        if items:
            before = items[-1].dose
            if before.units is not None:
                return SigDose(units=amount, stated=before.stated if before.units == 1 and amount == 1 else None)
            if before.mg is not None:
                return SigDose(mg=amount)
            if before.ml is not None:
                return SigDose(ml=amount)
        if self._verb and self._peek() in ("per_day", "every", "moment", "number", "per", "at", "for"):
            return SigDose(units=amount)
        raise NotUnderstood

    def _add(self, dose: SigDose) -> None:
        if self._shift or (self._stage.days is not None and self._stage.items):
            self._close()
        elif self._stage.items and not self._joined:
            raise NotUnderstood
        waiting = self._pending
        item = SigItem(dose, waiting.per_day, waiting.moments, waiting.weekdays, waiting.meals)
        self._pending = SigItem(SigDose())
        self._stage.items.append(item)
        if self._pending_days is not None:
            self._stage.days, self._pending_days = self._pending_days, None
        self._joined = False

    def _close(self) -> None:
        if self._stage.items or self._stage.over:
            self._closed.append(self._stage)
        self._stage = SigPhase()
        self._shift = False
        self._joined = True
