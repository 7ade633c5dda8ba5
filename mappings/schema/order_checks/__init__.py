"""Checks of draft orders and their wording: YAML files, checked at start. May know rules and treatments; no payer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.order_checks.model import CheckDefinition, MeasurePattern, OrderReadingRules, Schedules
from mappings.schema.order_checks.outside import OutsideOrders
from mappings.schema.order_checks.words import OrderCheckWords
from mappings.schema.rules.protocols import Protocol


@dataclass(frozen=True)
class OrderChecks:
    """All checks of draft orders; frozen and picklable."""

    words: OrderCheckWords
    checks: tuple[CheckDefinition, ...]
    """In the order in which they are shown."""
    reading: OrderReadingRules
    patterns: Mapping[str, tuple[MeasurePattern, ...]]
    """Text patterns by measure."""
    outside: OutsideOrders
    """Orders on which nothing is said."""
    schedules: Schedules
    review_due: date
    """The day from which the review of at least one file is overdue."""

    @cached_property
    def by_treatment(self) -> Mapping[str, tuple[CheckDefinition, ...]]:
        """The checks of the orders of each treatment."""
        treatments = {treatment for check in self.checks for treatment in check.treatments}
        return {
            treatment: tuple(check for check in self.checks if treatment in check.treatments)
            for treatment in treatments
        }

    @cached_property
    def companions(self) -> tuple[CheckDefinition, ...]:
        """The checks for an order that goes beside a treatment."""
        return tuple(check for check in self.checks if check.kind == "companion")

    @cached_property
    def repeating(self) -> frozenset[str]:
        """The checks that repeat what a criterion says."""
        return frozenset(check.id for check in self.checks if check.kind in ("contraindicated", "criterion"))

    @cached_property
    def refusals(self) -> frozenset[str]:
        """The checks by which an order should not be placed."""
        return frozenset(check.id for check in self.checks if check.kind == "contraindicated")

    @cached_property
    def remarks(self) -> frozenset[str]:
        """The checks that are said with every order of their treatment."""
        return frozenset(check.id for check in self.checks if check.kind == "remark")

    @property
    def inputs(self) -> frozenset[str]:
        """The inputs that order checks read in addition to those of criteria."""
        return frozenset(place for check in self.checks for place in check.inputs)

    def is_companion(self, words: Iterable[str], codes: Iterable[str | None]) -> bool:
        """Whether a service order accompanies a treatment (such as vital signs around it) rather than being for it."""
        texts, coded = [text.lower() for text in words], set(codes)
        return any(not coded.isdisjoint(check.codes) or any(map(check.is_itself, texts)) for check in self.companions)

    def source_keys(self) -> Iterator[tuple[str, str]]:
        """Every source key that is used, with the file and key that uses it."""
        yield from (("order_checks/_words.yaml: other_form.sources", key) for key in self.words.other_form.sources)
        yield from ((f"order_checks/_outside.yaml: {name}", key) for name, key in self.outside.source_keys())
        for name, schedule in self.schedules.schedules.items():
            keys = (*schedule.sources, schedule.per_week.source, schedule.sessions.source)
            yield from ((f"order_checks/_schedules.yaml: {name}", key) for key in keys)
        for name in ("same_percent", "rounded_percent"):
            yield f"order_checks/_reading.yaml: {name}.source", getattr(self.reading, name).source
        for check in self.checks:
            yield from ((f"order_checks/{check.id}.yaml: sources", key) for key in check.sources)
            for name, number in check.numbers.items():
                yield f"order_checks/{check.id}.yaml: {name}.source", number.source

    def check_against(
        self, protocols: Mapping[str, Protocol], criteria: Collection[str], treatments: Collection[str]
    ) -> None:
        """Raise :class:`KnowledgeError` if a check refers to something that does not exist."""
        known = {name for protocol in protocols.values() for name in protocol.parameters}
        for check in self.checks:
            where = f"order_checks/{check.id}.yaml"
            named = {name for expected in check.expected for name in expected.parameters}
            conditions = {name for name in (check.criterion, *(item.when for item in check.expected)) if name}
            for key, missing in (
                ("expected: no protocol has", named - known),
                ("treatments: no treatment", set(check.treatments) - set(treatments)),
                ("criterion: no criterion", conditions - set(criteria)),
            ):
                if missing:
                    raise KnowledgeError(f"{where}: {key} {', '.join(sorted(missing))}")


def load_order_checks(folder: Path | None = None) -> OrderChecks:
    """Read ``mappings/order_checks``; :class:`KnowledgeError` names the file and the key at fault."""
    folder = folder or KNOWLEDGE / "order_checks"
    words = read_yaml(folder / "_words.yaml", OrderCheckWords)
    reading = read_yaml(folder / "_reading.yaml", OrderReadingRules)
    outside = read_yaml(folder / "_outside.yaml", OutsideOrders)
    schedules = read_yaml(folder / "_schedules.yaml", Schedules)
    checks = {}
    for path in sorted(folder.glob("[!_]*.yaml")):
        if not path.name.endswith(".cases.yaml"):
            check = checks[path.stem] = read_yaml(path, CheckDefinition)
            if check.id != path.stem:
                raise KnowledgeError(f"{path.name}: id: must be the name of the file, not {check.id!r}")
    if set(words.order) != checks.keys():
        raise KnowledgeError("_words.yaml: order: must name every check once")
    return OrderChecks(
        words=words,
        checks=tuple(checks[name] for name in words.order),
        reading=reading,
        patterns={name: tuple(map(reading.filled, measure.patterns)) for name, measure in reading.measures.items()},
        outside=outside,
        schedules=schedules,
        review_due=min(file.review_due for file in (words, reading, outside, schedules, *checks.values())),
    )
