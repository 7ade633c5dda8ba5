"""How many examples Hypothesis draws: the profile says how many, a test only how much of that it needs."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

PROFILES = {"quick": 15, "ci": 25, "nightly": 1_000, "fuzz": 20_000}
"""Examples of a test that asks for nothing else."""


def register_profiles() -> None:
    """Make the profiles known to ``--hypothesis-profile``."""
    # Machines are small and noisy: how long an example takes says nothing about whether it is right.
    quiet = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    for name, number in PROFILES.items():
        settings.register_profile(name, quiet, max_examples=number)


def examples(factor: float, *suppressed: HealthCheck) -> settings:
    """That many times the examples of the profile; read when the test is decorated, after the profile is chosen."""
    chosen = settings.default
    assert chosen is not None
    checks = {*chosen.suppress_health_check, *suppressed}
    return settings(max_examples=max(1, round(chosen.max_examples * factor)), suppress_health_check=tuple(checks))
