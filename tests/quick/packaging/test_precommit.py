"""What runs before a commit is what ``make check`` runs."""

import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


def test_the_hooks_are_the_commands_of_make_check() -> None:
    planned = subprocess.run(
        ("make", "--dry-run", "--always-make", "check"), cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    commands = [line for line in planned if line.startswith(".venv/bin/")]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert len(commands) >= 4
    assert [hook["entry"] for hook in hooks] == commands
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in hooks)
