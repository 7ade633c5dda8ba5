"""Schema of an instrument's file: what a questionnaire asks and how its answers are read."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from mappings.schema.base.entries import Entry, Reviewed, Verification
from mappings.schema.instruments.links import NamedLinkStyle

LOINC = "http://loinc.org"

Number = Annotated[str, BeforeValidator(str)]
"""The number of an item as printed on the form: ``9``, ``6b``."""


class OtherCode(Entry):
    """A code of another system that means the same answer."""

    system: str
    code: str


class Option(Entry):
    """One answer option and its weight."""

    value: int
    code: str | None = None
    """LOINC answer code."""
    display: str | None = None
    displays: tuple[str, ...] = ()
    """Other words for it, such as a published translation."""
    also: tuple[OtherCode, ...] = ()


class AnswerList(Entry):
    """The answer options of an item; the weights are valid for this list only."""

    loinc_list: str | None = None
    integers: bool = True
    """Whether a bare number in the answer may be read as the weight."""
    source: str
    options: tuple[Option, ...] = Field(min_length=2)


class ItemCondition(Entry):
    """The condition that another item has a given value."""

    item: Number
    value: int = Field(alias="is")


class InstrumentItem(Entry):
    """One item of an instrument."""

    number: Number
    code: str | None = None
    """LOINC code of the item, if known."""
    label: str
    """Our own short wording."""
    wording: str | None = None
    """The published question, only if its licence allows."""
    also_worded: tuple[str, ...] = ()
    """Other published wordings of the same question."""
    answers: str | None = None
    """Name of an answer list, if it differs from the instrument's."""
    reversed: bool = False
    links: tuple[str, ...] = ()
    """Additional linkIds."""
    not_assessed: int | None = None
    """A value meaning that the item was not rated."""
    asked_if: ItemCondition | None = None
    implied_by: ItemCondition | None = None

    @property
    def key(self) -> str:
        """The name of the item in scores and flags: its LOINC code, or ``item9``."""
        return self.code or f"item{self.number}"


class InstrumentCodes(Entry):
    """LOINC codes of the panel, if it is known, and of the total (or of the risk level)."""

    panel: str | None = None
    total: str


class LookalikeCode(Entry):
    """A code that is easily mistaken for this instrument."""

    code: str
    why: str


class RiskLevel(Entry):
    """A risk level, reached if any of its items is positive."""

    name: str
    any_of: tuple[Number, ...] = Field(min_length=1)
    code: str
    """LOINC answer code of the level."""


class Sum(Entry):
    kind: Literal["sum"]


class SumOfMaxima(Entry):
    kind: Literal["sum_of_maxima"]
    domains: dict[str, tuple[Number, ...]]


class Risk(Entry):
    kind: Literal["risk"]
    levels: tuple[RiskLevel, ...]
    """The most severe first."""
    otherwise: str
    when_incomplete: str
    """The level to assume until a clinician has confirmed it."""
    source: str


Formula = Annotated[Sum | SumOfMaxima | Risk, Field(discriminator="kind")]


class Band(Entry):
    """A range of totals with a name."""

    low: int
    high: int
    name: str


class BandsBySex(Entry):
    """Bands that depend on the patient's sex; ``unknown`` names the sex whose bands are then used."""

    male: tuple[Band, ...]
    female: tuple[Band, ...]
    unknown: Literal["male", "female"]


class SourcedEntry(Entry):
    """An entry with its source and how well that was checked."""

    source: str = Field(min_length=1)
    verification: Verification


class Cutoff(SourcedEntry):
    """The lowest total at which a flag is raised."""

    flag: str
    at_least: int
    meaning: str


class Clusters(SourcedEntry):
    """How many items must be positive in every cluster."""

    class Need(Entry):
        items: tuple[Number, ...]
        at_least: int

    flag: str
    item_at_least: int
    need: tuple[Need, ...]


class ResponseThreshold(SourcedEntry):
    """The decrease from baseline, in percent, that counts as response."""

    percent: int
    baseline_at_least: int | None = None
    """Below this baseline, response is not assessed."""


class OtherRemission(Entry):
    at_most: int
    source: str


class RemissionThreshold(SourcedEntry):
    """The highest total that counts as remission."""

    at_most: int
    alternatives: tuple[OtherRemission, ...] = ()


class ImportantChange(SourcedEntry):
    """A change that is important according to one source: an advisory, never a verdict."""

    points: float | None = None
    percent: float | None = None
    kind: Literal["minimal", "meaningful", "reliable"]
    meaning: str

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.points is None) == (self.percent is None):
            raise ValueError("give either points or percent")
        return self


class OwnChange(SourcedEntry):
    """Where no change is published: the points that count as one, and the smallest rise that is told as worse."""

    points: float
    noticed: float


class Relapse(SourcedEntry):
    """The increase from the best total that is flagged, and the lowest total for which it is."""

    rise: int
    total_at_least: int = 0


class SuicideRule(SourcedEntry):
    """The item, or the levels, that flag suicide risk whatever the total."""

    item: Number | None = None
    positive_from: int | None = None
    urgent_from: int | None = None
    levels: tuple[str, ...] = ()


class Prorate(SourcedEntry):
    """How many missing items may be prorated, if a site enables it."""

    missing_at_most: int


class Crosswalk(Entry):
    """Totals of another instrument that are comparable in severity."""

    to: str
    use: str
    source: str
    table: dict[int, str]


class Variant(Entry):
    """A form with different anchors, read as a separate instrument so that the two are never mixed."""

    id: str
    short: str
    title: str
    names: tuple[str, ...]
    link_styles: tuple[str, ...]
    answers: str
    range: tuple[int, int]
    flag: str


class Licence(Entry):
    """Whether the published wording may be shipped."""

    wording_ships: bool
    terms: str
    verification: Verification


class ItemGroup(Entry):
    """A group of items that is tracked in addition to the total."""

    title: str
    verification: Verification


class Instrument(Reviewed):
    """One instrument."""

    id: str
    short: str
    title: str
    measures: Literal[
        "depression",
        "anxiety",
        "suicide_risk",
        "dissociation",
        "psychotic_symptoms",
        "mania",
        "ptsd",
        "alcohol",
        "drugs",
        "tms_safety",
    ]
    rater: str
    recall_days: int | None = None
    recall_note: str = ""
    loinc: InstrumentCodes | None = None
    other_totals: tuple[OtherCode, ...] = ()
    """Codes of other systems that mean the total."""
    not_these: tuple[LookalikeCode, ...] = ()
    names: tuple[str, ...]
    """What a questionnaire's URL or title contains, in lower case without punctuation."""
    not_names: tuple[str, ...] = ()
    link_styles: tuple[str, ...]
    """Patterns of linkIds that mean this item in any questionnaire: ``{number}``, ``{code}``, ``{letter}``."""
    link_names: tuple[str, ...] = ()
    """Names after which the styles of ``_links.yaml`` mean an item: ``phq9`` for ``phq9-1``, ``PHQ9.q1``."""
    named_link_styles: tuple[NamedLinkStyle, ...] = ()
    extra_links: tuple[str, ...] = ()
    """Additional items of the form that are never summed; a score is flagged if they were answered."""
    stem: str = ""
    answers: str
    items: tuple[InstrumentItem, ...] = Field(min_length=1)
    formula: Formula
    range: tuple[int, int] | None = None
    bands: tuple[Band, ...] = ()
    bands_by_sex: BandsBySex | None = None
    bands_source: str = ""
    cutoffs: tuple[Cutoff, ...] = ()
    clusters: Clusters | None = None
    response: ResponseThreshold | None = None
    remission: RemissionThreshold | None = None
    changes: tuple[ImportantChange, ...] = ()
    own_change: OwnChange | None = None
    relapse: Relapse | None = None
    suicide: SuicideRule | None = None
    prorate: Prorate | None = None
    crosswalk: Crosswalk | None = None
    groups: dict[str, tuple[Number, ...]] = Field(default_factory=dict)
    variants: tuple[Variant, ...] = ()
    flag: str = ""
    """A flag of every score of this form."""
    licence: Licence
    disputes: tuple[str, ...] = ()

    @field_validator("names", "not_names")
    @classmethod
    def _plain(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if any(not name.isalnum() or name != name.lower() for name in names):
            raise ValueError("write names in lower case, letters and digits only")
        return names

    @model_validator(mode="after")
    def _bands_cover_the_range(self) -> Self:
        sexes = (self.bands_by_sex.male, self.bands_by_sex.female) if self.bands_by_sex else ()
        for bands in filter(None, (self.bands, *sexes)):
            edges = [bands[0].low - 1, *(edge for band in bands for edge in (band.low, band.high))]
            if self.range != (bands[0].low, bands[-1].high) or any(
                low != before + 1 for before, low in zip(edges[::2], edges[1::2], strict=False)
            ):
                raise ValueError("bands must cover the range without a gap")
            if not self.bands_source:
                raise ValueError("bands_source: bands need a source")
        return self

    @model_validator(mode="after")
    def _items_exist(self) -> Self:
        known = {item.number for item in self.items}
        named: list[tuple[str, ...]] = [*self.groups.values()]
        if isinstance(self.formula, SumOfMaxima):
            named += self.formula.domains.values()
        if isinstance(self.formula, Risk):
            named += [level.any_of for level in self.formula.levels]
        if self.clusters:
            named += [need.items for need in self.clusters.need]
        if self.suicide and self.suicide.item:
            named.append((self.suicide.item,))
        if unknown := {no for items in named for no in items} - known:
            raise ValueError(f"no such item: {', '.join(sorted(unknown))}")
        if len(known) != len(self.items):
            raise ValueError("an item number is listed twice")
        return self

    @model_validator(mode="after")
    def _wording_is_licensed(self) -> Self:
        worded = any(item.wording or item.also_worded for item in self.items)
        if not self.licence.wording_ships and (self.stem or worded):
            raise ValueError("wording: the licence of this instrument does not allow it")
        return self

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The name of every item in scores and flags."""
        return tuple(item.key for item in self.items)

    @cached_property
    def suicide_place(self) -> int | None:
        """The position of the item that asks about suicide."""
        asked = self.suicide and self.suicide.item
        return next((place for place, item in enumerate(self.items) if item.number == asked), None)

    def item(self, number: str) -> InstrumentItem:
        """The item of that number."""
        return next(item for item in self.items if item.number == number)
