"""A real Prometheus that scrapes a service every second and evaluates the rules that are shipped."""

from __future__ import annotations

import json
import math
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from stream.embedded.ports import free_port
from tests.integration.support.waiting import until
from tests.system import program

RULES = Path(__file__).parents[3] / "configs/prometheus/rules"


class Prometheus:
    """A Prometheus that runs."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/api/v1/"

    def ask(self, page: str, **query: str) -> Any:
        """What its API answers. Raises OSError while it is not there, or for a query that it cannot do."""
        with urllib.request.urlopen(f"{self._address}{page}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            return json.loads(answer.read())["data"]

    def values(self, query: str, start: float, end: float) -> list[float]:
        """All values of a query's series between two times, a second apart, but for those that are no number."""
        found = self.ask("query_range", query=query, start=str(start), end=str(end), step="1s")["result"]
        numbers = (float(value) for series in found for _, value in series["values"])
        return [number for number in numbers if not math.isnan(number)]

    def now(self, query: str) -> list[dict[str, Any]]:
        """The series of a query as they are now."""
        result: list[dict[str, Any]] = self.ask("query", query=query)["result"]
        return result


@contextmanager
def scraping(port: int, folder: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the service at a port as job `driftline`, and keeps what it gets in `folder`."""
    config = folder / "prometheus.yml"
    own = free_port()
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(RULES / "*.yml")],
                "scrape_configs": [
                    {"job_name": "driftline", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]},
                ],
            }
        )
    )
    log = folder / "prometheus.log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{own}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        prometheus = Prometheus(own)

        def up() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return bool(prometheus.now('up{job="driftline"} == 1'))
            except OSError:
                return False

        until(up, 30.0, lambda: f"Prometheus scrapes nothing:\n{log.read_text()}")
        yield prometheus
    finally:
        process.terminate()
        process.wait(20)
