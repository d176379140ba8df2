"""docker-compose.yml and what it mounts, held against the code: there is no Docker engine where these tests run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from stream.cli.commands import app
from stream.config.fields import seconds
from stream.config.load import load
from stream.config.model import Config
from stream.config.trust import MIN_KEY, trust_of
from stream.config.web import HttpConfig
from stream.embedded.jars import KAFKA_VERSION
from stream.telemetry import Telemetry
from stream.web.server import Server
from tests.unit.web.support import WELL, World

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "configs/grafana/dashboards").glob("*.json"))
SERVICES = ("driftline", "grafana", "kafka", "prometheus", "redis", "simulate", "topics")
OURS = ("driftline", "simulate", "topics")
SAID_BY_THE_PERSON = {"DRIFTLINE_SIGNING_KEY": "k" * MIN_KEY}


@cache
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found


def mounts(name: str) -> dict[str, Path]:
    """Path in the container to the path here, of the files and directories that a service is given."""
    volumes = (volume.split(":") for volume in service(name)["volumes"])
    return {volume[1]: ROOT / volume[0] for volume in volumes if volume[0].startswith("./")}


def inner_ports(name: str) -> set[int]:
    """The ports that a service publishes, as they are inside its container."""
    return {int(port.rsplit(":", 1)[1]) for port in service(name)["ports"]}


def config_of(name: str) -> Config:
    """The configuration that a service's command names, as the service will read it."""
    command = service(name)["command"]
    path = Path(command[command.index("-c") + 1])
    return load(mounts(name)[str(path.parent)] / path.name, environment(name))


def environment(name: str) -> dict[str, str]:
    return {key: str(value) for key, value in service(name)["environment"].items()} | SAID_BY_THE_PERSON


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


def test_the_compose_file_keeps_to_the_compose_specification() -> None:
    schema = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"

    jsonschema.validate(compose(), json.loads(schema.read_text()))


def test_these_are_all_the_services() -> None:
    assert sorted(compose()["services"]) == sorted(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_to_a_release(name: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+(-[a-z]+)?", service(name)["image"])


@pytest.mark.parametrize("name", ["driftline", "grafana", "kafka", "prometheus", "redis"])
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    ports = service(name)["ports"]

    assert ports
    assert [port for port in ports if not re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)] == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_mounted_path_exists(name: str) -> None:
    given = service(name).get("volumes", ())
    named = {volume.split(":")[0] for volume in given if not volume.startswith("./")}

    assert [path for path in mounts(name).values() if not path.exists()] == [] if given else True
    assert named <= set(compose()["volumes"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_can_be_known(name: str) -> None:
    for other, wait in service(name).get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert "test" in service(other)["healthcheck"]
        else:
            assert wait["condition"] == "service_completed_successfully"
            assert service(other)["restart"].startswith("on-failure")


@pytest.mark.parametrize("name", OURS)
def test_the_command_line_understands_what_the_container_runs(name: str) -> None:
    command = [str(word) for word in service(name)["command"]]

    helped = CliRunner().invoke(app, [command[0], "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})

    assert helped.exit_code == 0, helped.output
    assert [word for word in command if word.startswith("-") and word not in helped.output] == []


@pytest.mark.parametrize("name", OURS)
def test_the_configuration_points_to_the_services_beside_it(name: str) -> None:
    config = config_of(name)

    kafka = service("kafka")["environment"]
    assert f"INTERNAL://{config.kafka.bootstrap_servers}" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert config.redis.url.startswith("redis://redis:6379/")
    assert trust_of(config.security, environment(name)).key


def test_metrics_and_health_are_where_prometheus_and_the_health_check_look() -> None:
    http = config_of("driftline").http
    scrapes = yaml.safe_load((mounts("prometheus")["/etc/prometheus/prometheus.yml"]).read_text())["scrape_configs"]
    targets = {scrape["job_name"]: scrape["static_configs"][0]["targets"] for scrape in scrapes}

    assert http.host == "0.0.0.0"
    assert inner_ports("driftline") == {http.port}
    assert targets["driftline"] == [f"driftline:{http.port}"]
    assert f"EXPOSE {http.port}\n" in dockerfile()
    assert f"http://127.0.0.1:{http.port}/readyz" in dockerfile()


def test_prometheus_finds_the_rules() -> None:
    given = mounts("prometheus")
    (rules,) = yaml.safe_load(given["/etc/prometheus/prometheus.yml"].read_text())["rule_files"]

    assert list(given[str(Path(rules).parent)].glob(Path(rules).name))


def test_the_service_is_given_the_time_that_it_takes_to_stop() -> None:
    assert seconds(service("driftline")["stop_grace_period"]) > config_of("driftline").runtime.shutdown_timeout


def test_kafka_is_the_version_that_the_tests_run() -> None:
    assert service("kafka")["image"] == f"apache/kafka:{KAFKA_VERSION}"


def test_redis_keeps_what_it_was_told() -> None:
    command = service("redis")["command"]

    assert command[command.index("--appendonly") + 1] == "yes"
    assert "redis:/data" in service("redis")["volumes"]


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    provisioning = mounts("grafana")["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards/driftline.yml").read_text())["providers"]

    home = service("grafana")["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert source["url"] == f"http://prometheus:{inner_ports('prometheus').pop()}"
    assert mounts("grafana")[provider["options"]["path"]] == ROOT / "configs/grafana/dashboards"
    assert Path(home).parent == Path(provider["options"]["path"])
    assert Path(home).name in {dashboard.name for dashboard in DASHBOARDS}
    for dashboard in DASHBOARDS:
        assert set(re.findall(r'"type": "prometheus",\s+"uid": "(\w+)"', dashboard.read_text())) == {source["uid"]}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_every_metric_on_a_dashboard_is_one_that_the_service_exports(dashboard: Path) -> None:
    exported = set(re.findall(r"^# TYPE (\w+) ", Telemetry("model").render()[0].decode(), re.MULTILINE))

    shown = set(re.findall(r"driftline_\w+", dashboard.read_text()))

    assert shown
    assert {name for name in shown if re.sub("_(bucket|sum|count)$", "", name) not in exported} == set()


def test_all_that_the_image_is_built_from_reaches_the_engine() -> None:
    allowed = {line[2:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!/")}
    copied = [
        source for line in re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile(), re.MULTILINE) for source in line.split()
    ]

    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert any(path.startswith(source) or path == source.rstrip("/") for path in allowed), source


def test_what_a_person_has_to_say_is_asked_for_by_name() -> None:
    text = re.sub(r"^ *#.*$", "", (ROOT / "docker-compose.yml").read_text(), flags=re.MULTILINE)

    assert re.findall(r"\$\{?(\w+)(:\?)?", text) == [("DRIFTLINE_SIGNING_KEY", ":?")]


def test_each_door_of_kafka_is_open_advertised_and_known() -> None:
    kafka = {name: str(value) for name, value in service("kafka")["environment"].items()}
    doors = _doors(kafka["KAFKA_LISTENERS"])
    advertised = _doors(kafka["KAFKA_ADVERTISED_LISTENERS"])
    protocols = dict(one.split(":") for one in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    controller = kafka["KAFKA_CONTROLLER_LISTENER_NAMES"]

    assert set(protocols) == set(doors)
    assert {name: where.rpartition(":")[2] for name, where in advertised.items()} == {
        name: where.rpartition(":")[2] for name, where in doors.items() if name != controller
    }
    assert kafka["KAFKA_INTER_BROKER_LISTENER_NAME"] in advertised
    assert kafka["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"{kafka['KAFKA_NODE_ID']}@localhost{doors[controller]}"
    assert advertised["HOST"] == f"localhost:{inner_ports('kafka').pop()}"
    assert service("kafka")["healthcheck"]["test"][-1].endswith(doors["INTERNAL"])


def _doors(listeners: str) -> dict[str, str]:
    """Addresses by names of listeners."""
    return dict(one.split("://") for one in listeners.split(","))


@pytest.mark.parametrize("healthy", [True, False])
def test_the_health_check_of_the_image_goes_by_readiness(healthy: bool) -> None:
    check: list[str] = json.loads(re.findall(r"HEALTHCHECK (?:.*\\\n)? *CMD (\[.*\])", dockerfile())[0])
    world = World()
    world.status = WELL._replace(predicting=healthy)
    with Server(world.app, HttpConfig(port=0)) as server:
        command = [word.replace(":8080/", f":{server.port}/") for word in check]
        done = subprocess.run([sys.executable, *command[1:]], check=False, capture_output=True, timeout=30)

    assert check[0] == "python"
    assert (done.returncode == 0) is healthy


_GRAFANA = {
    "datasources": {"name", "uid", "type", "access", "url", "isDefault", "jsonData", "editable", "orgId"},
    "providers": {"name", "type", "allowUiUpdates", "options", "folder", "updateIntervalSeconds", "orgId"},
}
"""Fields that Grafana takes in its provisioning files, of those that have a use here."""


@pytest.mark.parametrize(
    ("file", "listed"), [("datasources/prometheus.yml", "datasources"), ("dashboards/driftline.yml", "providers")]
)
def test_files_that_provision_grafana_have_fields_that_it_takes(file: str, listed: str) -> None:
    document = yaml.safe_load((mounts("grafana")["/etc/grafana/provisioning"] / file).read_text())
    (one,) = document.pop(listed)

    assert document == {"apiVersion": 1}
    assert set(one) <= _GRAFANA[listed]
    assert {"name", "type"} <= set(one)
