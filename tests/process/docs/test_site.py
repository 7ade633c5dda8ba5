"""The site as ``make docs`` builds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from docs.generator.links import faults
from docs.generator.site import write_site
from tests.support.shipped import shipped


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """The generator of sites, where a warning is an error."""
    program = Path(sys.executable).with_name("zensical")
    options = ("build", "--strict", "--clean", "--config-file", str(folder / "zensical.toml"))
    return subprocess.run([program, *options], capture_output=True, text=True, check=False)


def test_the_site_builds_without_a_warning_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    write_site(shipped(), tmp_path)
    done = build(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(faults(tmp_path / "site")) == []
    assert (tmp_path / "site/reference/criteria/blood_pressure.crisis/index.html").is_file()
    assert (tmp_path / "site/connect/epic/index.html").is_file()
    styles = "".join(file.read_text(encoding="utf-8") for file in (tmp_path / "site").rglob("*.css"))
    assert "url(http" not in styles
    assert "@import" not in styles
