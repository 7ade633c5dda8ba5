"""The comparison of the oldest pip and the newest, but for the installing, which is ``make installs``."""

import runpy
import sys
from pathlib import Path

PIPS = runpy.run_path(str(Path(__file__).parents[3] / "install" / "pips.py"))


def test_what_only_one_has_is_named() -> None:
    found = PIPS["differences"]("server.txt", {"a==1", "b==1"}, {"a==1", "b==2"})
    assert found == ["server.txt: only the oldest pip: b==1", "server.txt: only the newest pip: b==2"]
    assert PIPS["differences"]("server.txt", {"a==1"}, {"a==1"}) == []


def test_old_and_new_reports_of_a_file_are_read_alike() -> None:
    assert PIPS["digest"]({"hash": "sha256=ab"}) == PIPS["digest"]({"hash": "x", "hashes": {"sha256": "ab"}}) == "ab"


def test_the_oldest_pip_of_this_python_is_known_and_the_steps_are_those_of_the_image() -> None:
    assert PIPS["OLDEST"][sys.version_info[:2]]
    assert [step.split()[0] for step in PIPS["image_steps"]()] == ["install/environment", "install/image"]
