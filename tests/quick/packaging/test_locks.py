"""The locks: complete, hashed, of one mind, and free of any machine's addresses."""

import re
from collections.abc import Iterator
from importlib.metadata import distribution, distributions
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCKS = ("build", "server", "demo", "test")
EXTRAS = {
    "server": ("drawing", "postgresql", "redis", "telemetry"),
    "demo": ("demo", "drawing", "build"),
    "test": ("demo", "drawing", "build", "postgresql", "redis", "telemetry", "docs", "test"),
}
"""What each lock is made of beside the core, as the Makefile says."""


def text_of(lock: str) -> str:
    return (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")


def entries(lock: str) -> Iterator[tuple[Requirement, list[str]]]:
    for entry in re.split(r"\n(?=\S)", text_of(lock).strip()):
        line, *hashes = (part.strip() for part in entry.split(" \\\n"))
        yield Requirement(line), hashes


def pins(lock: str) -> dict[tuple[str, str], list[str]]:
    """Hashes by name and version: a universal lock may hold a package in several versions, for several platforms."""
    return {
        (canonicalize_name(requirement.name), str(requirement.specifier)): hashes
        for requirement, hashes in entries(lock)
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_hashes(lock: str) -> None:
    found = list(entries(lock))
    assert len(found) >= 5
    for requirement, hashes in found:
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert requirement.url is None
        assert hashes, requirement
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", written) for written in hashes), requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_records_where_it_was_made(lock: str) -> None:
    assert not re.search(r"://|--index|--find-links|--extra-index|--trusted-host|^#", text_of(lock), re.MULTILINE)


@pytest.mark.parametrize(("smaller", "larger"), [*pairwise(("build", "demo", "test")), ("server", "test")])
def test_the_locks_agree(smaller: str, larger: str) -> None:
    assert pins(smaller).items() <= pins(larger).items()


@pytest.mark.parametrize("lock", EXTRAS)
def test_a_lock_holds_every_dependency_and_theirs(lock: str) -> None:
    """Followed through what the installed packages ask for, for the Python and platform of this run."""
    locked = {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement, _ in entries(lock)
        if requirement.marker is None or requirement.marker.evaluate()
    }
    wanted = [("tandem-cds", EXTRAS[lock])]
    seen = set(wanted)
    while wanted:
        name, extras = wanted.pop()
        for requirement in required_by(name, extras):
            dependency = canonicalize_name(requirement.name)
            assert dependency in locked, f"{name} needs {requirement}"
            assert requirement.specifier.contains(locked[dependency], prereleases=True), f"{name} needs {requirement}"
            further = (dependency, tuple(sorted(requirement.extras)))
            if further not in seen:
                seen.add(further)
                wanted.append(further)
    assert locked.keys() == {name for name, _ in seen} - {"tandem-cds"}


def required_by(name: str, extras: tuple[str, ...]) -> Iterator[Requirement]:
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def test_what_is_installed_is_what_the_lock_of_the_tests_says() -> None:
    installed = {canonicalize_name(found.name): found.version for found in distributions()}
    for requirement, _ in entries("test"):
        if requirement.marker is None or requirement.marker.evaluate():
            assert requirement.specifier.contains(installed[canonicalize_name(requirement.name)], prereleases=True)
