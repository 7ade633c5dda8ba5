"""Schema of a treatment's file: how it is recognised on the record, and what makes a course."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mappings.schema.base.entries import Entry, Pattern, Reviewed, Verification


class Threshold(Entry):
    """A number with its source and how well that was checked."""

    value: int
    source: str = Field(min_length=1)
    verification: Verification


class CourseRule(Entry):
    """When sessions form a course."""

    gap_days: Threshold
    """A longer pause starts a new course."""
    completed_at: Threshold | None = None
    """Number of sessions from which a course counts as completed."""
    ends_at: Threshold | None = None
    """Number of sessions after which the course is over; ``None`` if maintenance follows."""


class OtherUse(Entry):
    """When an entry may have served another purpose, such as anaesthesia."""

    dose_above_mg: Threshold
    single_session: Threshold


class OtherForms(Entry):
    """The same drug in a form or by a route that the criteria here do not cover."""

    holds: tuple[Pattern, ...] = Field(min_length=1)
    """What the words of the order, its route or its form hold,"""
    lacks: tuple[Pattern, ...] = Field(min_length=1)
    """and must not hold: a route that the criteria are made for."""
    ignored: tuple[Pattern, ...] = ()
    """Parts of the instructions that speak of something else than this drug."""
    source: str = Field(min_length=1)
    verification: Verification


class Treatment(Reviewed):
    """One treatment."""

    id: str
    short: str
    title: str
    modality: Literal["tms", "ketamine", "ect"]
    controlled: bool
    """Whether it is a controlled drug, whose orders are never pre-selected."""
    given_as: Literal["procedure", "medication"]
    codes: dict[str, tuple[str, ...]]
    """Codes by the short name of their system."""
    prefixes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Code prefixes, by the short name of their system."""
    codes_source: str
    patterns: tuple[Pattern, ...] = Field(min_length=1)
    """What a text in lower case holds when it means this treatment."""
    not_patterns: tuple[Pattern, ...]
    ordered_as: tuple[Pattern, ...] = ()
    """What a lower-case order contains if it denotes this treatment, whatever else it contains."""
    other_forms: OtherForms | None = None
    routes: tuple[str, ...] = ()
    """Words of the routes that count; empty if any does."""
    other_use: OtherUse | None = None
    course: CourseRule
    disputes: tuple[str, ...] = ()


class AllergyWords(Entry):
    """How an entry of the problem list speaks of an allergy."""

    words: tuple[Annotated[str, Field(pattern=r"^\S+$")], ...] = Field(min_length=1)
    """Pieces of single words, in lower case, so that none is put together when what is denied is left out."""
    reactions: tuple[str, ...] = Field(min_length=1)
    """Pieces of the words of reactions that are hypersensitivity, whatever the type of the entry."""


class ResponseRule(Entry):
    """How the response at the end of a course is assessed."""

    scales: tuple[str, ...]
    response_percent: Threshold
    partial_percent: Threshold
    baseline_days_before: Threshold
    end_days_before: Threshold
    end_days_after: Threshold
    worse_within_days: Threshold
    plateau_values: Threshold
    plateau_equal_values: Threshold
    plateau_days: Threshold
    remission_for_days: Threshold
