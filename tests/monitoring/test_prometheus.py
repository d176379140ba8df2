"""The file that docker-compose gives to Prometheus, in the hands of the real one."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from pathlib import Path

import pytest

from stream.embedded.ports import free_port
from tests.integration.support.waiting import until
from tests.system import program
from tests.unit.test_compose import mounts, service


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The file, with the rules where they are here."""
    given = mounts("prometheus")
    text = given["/etc/prometheus/prometheus.yml"].read_text()
    path = tmp_path / "prometheus.yml"
    path.write_text(text.replace("/etc/prometheus/rules", str(given["/etc/prometheus/rules"])))
    return path


def test_promtool_takes_the_file_and_finds_the_rules(config: Path) -> None:
    command = [program("promtool"), "check", "config", "--lint-fatal", str(config)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert re.search(r"SUCCESS: [1-9]\d* rules found", checked.stdout)


def test_prometheus_starts_with_the_file_and_is_ready_where_the_health_check_asks(config: Path, tmp_path: Path) -> None:
    asked = str(service("prometheus")["healthcheck"]["test"][-1])
    port, log = free_port(), tmp_path / "log"
    command = [program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with log.open("wb") as written:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=written)
    try:
        until(lambda: answers(asked.replace("localhost:9090", f"127.0.0.1:{port}")), 30.0, log.read_text)
    finally:
        process.terminate()
        process.wait(20)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
