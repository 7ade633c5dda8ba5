"""The wheel: what is in it, and that it serves from another folder.

The dependencies are those of this environment. ``make installs`` does the same in an empty one, from the server's lock.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

from mappings.schema.load import load_knowledge

ROOT = Path(__file__).parents[3]
PACKAGES = ("mappings", "fhir_plugin", "cds_hooks")
UNDER_SMOKE = """
import sys
sys.path[:0] = [{installed!r}]
import cds_hooks, mappings
assert cds_hooks.__file__.startswith({installed!r}), cds_hooks.__file__
assert mappings.__file__.startswith({installed!r}), mappings.__file__
from cds_hooks.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--target", folder)
    subprocess.run((sys.executable, "-m", "pip", "install", *options, wheel), capture_output=True, check=True)
    return folder


def test_the_wheel_holds_the_packages_without_test_patients(wheel: Path) -> None:
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    there = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    cases = {name for name in there if name.endswith(".cases.yaml")}
    assert len(cases) > 100
    assert names == there - cases


def test_the_wheel_needs_a_package_for_each_extra_only_there(wheel: Path) -> None:
    metadata = next(name for name in ZipFile(wheel).namelist() if name.endswith(".dist-info/METADATA"))
    lines = ZipFile(wheel).read(metadata).decode().splitlines()
    extras = {line.removeprefix("Provides-Extra: ") for line in lines if line.startswith("Provides-Extra: ")}
    assert {"demo", "drawing", "postgresql"} <= extras
    core = [line for line in lines if line.startswith("Requires-Dist: ") and "extra ==" not in line]
    assert not [line for line in core if any(name in line for name in ("altair", "asyncpg", "sekmet", "pytest"))]


def test_the_wheel_has_the_same_rules(installed: Path) -> None:
    assert load_knowledge(installed / "mappings").digest == load_knowledge().digest


def test_the_wheel_serves_from_another_folder(installed: Path, tmp_path: Path) -> None:
    """With the dependencies of this environment and without this checkout on the path."""
    site = sysconfig.get_paths()["purelib"]
    starter = tmp_path / "tandem"
    starter.write_text(
        f"#!{sys.executable} -IS\nimport sys\nsys.path.append({site!r})\n"
        + UNDER_SMOKE.format(installed=str(installed)),
        encoding="utf-8",
    )
    starter.chmod(0o755)
    smoke = shutil.copy(ROOT / "install" / "smoke.py", tmp_path)
    ran = subprocess.run((sys.executable, smoke, starter), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"ready with knowledge {load_knowledge().digest[:12]}, ")
    assert "Ketamine: hold. BP 172/104" in ran.stdout
