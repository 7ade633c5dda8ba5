"""The files of `deploy`, judged by the programs that read them; without such a program its test is skipped."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
VALUES = """
config: |
  database = "postgresql://tandem@database/tandem"
files: {site.yaml: ""}
env: [{name: SSL_CERT_FILE, value: /etc/tandem/authorities.pem}]
autoscaling: {enabled: true}
imagePullSecrets: [{name: registry}]
nodeSelector: {disk: ssd}
tolerations: [{key: a, operator: Exists}]
"""


def run(program: str, *words: str | Path, folder: Path = DEPLOY) -> str:
    """What a program says; the test is skipped where it is not installed, and fails where it is not content."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
    found = shutil.which(program, path=path)
    if found is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run((found, *words), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_alert_rules_are_rules_and_fire_when_they_should() -> None:
    run("promtool", "check", "rules", "alerts.yml")
    run("promtool", "test", "rules", "alerts.test.yml")


def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    board = json.loads((DEPLOY / "dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "queries.json"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    run("promtool", "check", "rules", file)


def test_nginx_takes_its_file(tmp_path: Path) -> None:
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tandem.example")
    run("openssl", *made, "-keyout", key, "-out", certificate)
    site = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for folder in ("/etc/tandem/tls", "/var/log/nginx"):
        assert folder in site
        site = site.replace(folder, str(tmp_path))
    (tmp_path / "site.conf").write_text(re.sub(r"(listen .*?)(80|443)\b", r"\g<1>18\2", site), encoding="utf-8")
    temporary = "".join(
        f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {temporary} include {tmp_path}/site.conf; }}",
        encoding="utf-8",
    )
    run("nginx", "-t", "-p", f"{tmp_path}/", "-e", tmp_path / "error.log", "-c", tmp_path / "nginx.conf")


def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / "tandem.service"
    text = (DEPLOY / "tandem.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/tandem/bin/tandem", sys.executable), encoding="utf-8")
    assert run("systemd-analyze", "verify", unit) == ""
    found = re.search(
        r"exposure level for tandem.service: ([\d.]+)", run("systemd-analyze", "security", "--offline=true", unit)
    )
    assert found is not None
    assert float(found[1]) < 2


def rendered(tmp_path: Path) -> list[dict[str, Any]]:
    """The objects of the chart, with every optional part."""
    values = tmp_path / "values.yaml"
    values.write_text(VALUES, encoding="utf-8")
    run("helm", "lint", "--strict", "chart", "--values", values)
    text = run("helm", "template", "tandem", "chart", "--values", values, "--kube-version", "1.33.0")
    (tmp_path / "objects.yaml").write_text(text, encoding="utf-8")
    return [each for each in yaml.safe_load_all(text) if each]


def test_what_the_chart_makes_is_what_kubernetes_knows(tmp_path: Path) -> None:
    kinds = {each["kind"] for each in rendered(tmp_path)}
    assert kinds == {
        "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Job", "NetworkPolicy", "PodDisruptionBudget", "Service",
    }  # fmt: skip
    for version in ("1.29", "1.33"):
        run("kubernetes-validate", "--strict", "-k", version, tmp_path / "objects.yaml")


def test_no_container_of_the_chart_may_more_than_it_needs(tmp_path: Path) -> None:
    pods = [each["spec"]["template"]["spec"] for each in rendered(tmp_path) if each["kind"] in ("Deployment", "Job")]
    assert len(pods) == 2
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        # A Service named tandem would set TANDEM_PORT to an address.
        assert pod["enableServiceLinks"] is False
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            may = container["securityContext"]
            assert may["readOnlyRootFilesystem"] is True
            assert may["allowPrivilegeEscalation"] is False
            assert may["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            secrets = [each["name"] for each in container["env"] if re.search(r"KEY|PASSWORD|SECRET", each["name"])]
            assert secrets
            assert all(name.endswith("_FILE") for name in secrets)
