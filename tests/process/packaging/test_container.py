"""What can be known of the image without a container engine: its steps, its user, its secrets, its health check."""

import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

ROOT = Path(__file__).parents[3]
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_every_step_is_a_script_of_the_repository() -> None:
    """``make installs`` runs them in an empty environment."""
    steps = re.findall(r"^RUN (.+)$", CONTAINERFILE, re.MULTILINE)
    assert steps
    for step in steps:
        script = ROOT / step.split()[0]
        assert script.is_relative_to(ROOT / "install")
        assert os.access(script, os.X_OK)
        assert not re.search(r"[;&|\\]", step)


def test_the_image_runs_as_nobody_in_particular_and_can_be_read_only() -> None:
    last_stage = CONTAINERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER ([1-9]\d+):\1$", last_stage, re.MULTILINE)
    assert "RUN" not in last_stage
    assert "HEALTHCHECK" in last_stage
    assert "curl" not in CONTAINERFILE
    service = COMPOSE["services"]["tandem"]
    assert service["read_only"] is True
    assert all(COMPOSE["services"][name]["read_only"] for name in COMPOSE["services"])


def test_secrets_come_from_files_and_stand_in_no_file_here() -> None:
    for service in COMPOSE["services"].values():
        mounted = {f"/run/secrets/{name}" for name in service["secrets"]}
        named = {value for name, value in service["environment"].items() if name.endswith("_FILE")}
        assert named == mounted
        assert not [name for name in service["environment"] if re.search(r"(PASSWORD|KEY|SECRET)$", name)]


def test_the_entry_point_reads_secrets_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text('it\'s $HOME `x` "quoted"\n', encoding="utf-8")
    ran = entrypoint({"TANDEM_DATABASE_KEY_FILE": str(secret)}, "printenv", "TANDEM_DATABASE_KEY")
    assert (ran.returncode, ran.stdout) == (0, 'it\'s $HOME `x` "quoted"\n')
    assert entrypoint({}, "printenv", "TANDEM_DATABASE_KEY").returncode == 1
    gone = entrypoint({"PGPASSWORD_FILE": str(tmp_path / "none")}, "true")
    assert gone.returncode == 2
    assert gone.stderr == f"entrypoint: PGPASSWORD_FILE: {tmp_path / 'none'} cannot be read\n"


def entrypoint(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    asked = {"PATH": os.environ["PATH"], **environment}
    script = ROOT / "install" / "entrypoint"
    return subprocess.run((script, *command), env=asked, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_is_what_readyz_says(status: int, code: int) -> None:
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is written."""

    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        assert healthcheck(server.server_port) == code
        thread.join()
    assert healthcheck(server.server_port) == 1


def healthcheck(port: int) -> int:
    command = (sys.executable, ROOT / "install" / "healthcheck.py")
    return subprocess.run(command, env={"TANDEM_PORT": str(port)}, capture_output=True, check=False).returncode
