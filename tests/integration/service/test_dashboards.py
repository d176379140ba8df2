"""Every picture of every dashboard has something to show of a service that ran: real Kafka, Redis and Prometheus."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stream.embedded import EmbeddedValkey
from tests.integration.support.outside import Outside
from tests.integration.support.prometheus import Prometheus, scraping
from tests.integration.support.receiver import receiving
from tests.integration.support.running import InThread
from tests.integration.support.stage import Stage, event, label, x_of
from tests.integration.support.waiting import until

FOLDER = Path(__file__).parents[3] / "configs/grafana/dashboards"
CHOSEN = {"$job": ".*", "$partition": ".*", "$metric": ".*", "$__rate_interval": "5s"}
"""What a dashboard's variables stand for when everything is chosen."""

FLIP, END = 16_800, 19_000  # features and errors are judged for dependence after 16,384 events
STEP = 400


class Ran(NamedTuple):
    """A Prometheus that saw a service from `start` to `end`, and the alerts that it had while a drift was open."""

    prometheus: Prometheus
    start: float
    end: float
    alerts: list[dict[str, Any]]


class Query(NamedTuple):
    """One query of a dashboard, as it is asked for when everything is chosen."""

    name: str
    text: str


def queries() -> list[Query]:
    found = []
    for file in sorted(FOLDER.glob("*.json")):
        dashboard = json.loads(file.read_text())
        for panel in dashboard["panels"]:
            found += [
                Query(f"{file.stem}: {panel['title']}: {target['legendFormat']}", filled(target["expr"]))
                for target in panel.get("targets", [])
            ]
        found += [Query(f"{file.stem}: {one['name']}", filled(one["expr"])) for one in dashboard["annotations"]["list"]]
        found += [
            Query(f"{file.stem}: ${one['name']}", values_of(one["query"]["query"]))
            for one in dashboard["templating"]["list"]
        ]
    return found


def filled(text: str) -> str:
    for name, value in CHOSEN.items():
        text = text.replace(name, value)
    assert "$" not in text
    return text


def values_of(text: str) -> str:
    """A choice's query, `label_values(series, label)`, as one that Prometheus itself understands."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", text)
    assert found is not None
    return f"count by ({found[2]}) ({filled(found[1])})"


def given(n: int) -> dict[str, Any]:
    return {"x": x_of(n), "kind": "ab"[n % 2] if n < FLIP else "b"}


def feed(stage: Stage, first: int, end: int) -> None:
    """Events of a stretch, each few with their labels, which say another thing from the flip on."""
    for few in range(first, end, 200):
        numbers = range(few, min(few + 200, end))
        stage.produce("events", [event(n, given(n)) for n in numbers])
        stage.produce("labels", [label(n, (x_of(n) > 0) == (n < FLIP)) for n in numbers])


@pytest.fixture(scope="module")
def ran(outside: Outside, valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """A service in whose stream features and concept drift, after which a challenger took over."""
    folder = tmp_path_factory.mktemp("run")
    with receiving(lambda n: 200) as receiver:
        yield from seen(outside, valkey, folder, receiver.url)


def seen(outside: Outside, valkey: EmbeddedValkey, folder: Path, url: str) -> Iterator[Ran]:
    stage = Stage(
        outside,
        valkey.url,
        folder,
        {
            "model": {"learner": {"kind": "logistic", "learning_rate": 0.05}},
            "detectors": {"concept": [{"kind": "ddm"}], "data": [{"kind": "ks"}, {"kind": "chi_squared"}]},
            "adaptation": {"min_labels": 50},
            "webhooks": [{"name": "oncall", "url": url}],
            "labels": {"ttl": "7d", "max_pending": 50_000},
            "runtime": {"snapshot_interval": "500ms"},
        },
    )
    start = time.time()
    with InThread(stage) as service:
        service.wait_ready()
        with scraping(service.port, folder) as prometheus:
            yield life(stage, prometheus, start)


def life(stage: Stage, prometheus: Prometheus, start: float) -> Ran:
    """Features and concept drift, and a challenger takes over: told to Prometheus as it happens."""

    def scraped(query: str) -> None:
        until(lambda: prometheus.now(query), 60.0, lambda: f"not so: {query}")

    feed(stage, 0, FLIP)
    stage.produce("events", [event(-1, {"x": "no number"})])
    scraped(f'driftline_records_total{{topic="labels",outcome="joined"}} == {FLIP}')
    scraped("driftline_dead_letters_total == 1")
    reached = FLIP
    while not prometheus.now("sum(driftline_open_drifts) > 0"):  # and no further: it is over soon
        assert reached < END, "no drift was told"
        feed(stage, reached, reached + STEP)
        reached += STEP
        scraped(f'driftline_records_total{{topic="labels",outcome="joined"}} == {reached}')
    scraped('ALERTS{alertname="DriftlineDriftOpen",alertstate="firing"}')
    alerts = prometheus.ask("alerts")["alerts"]
    feed(stage, reached, END)
    scraped(f'driftline_records_total{{topic="labels",outcome="joined"}} == {END}')
    scraped('driftline_swaps_total{reason="beat_champion"} == 1')
    scraped("driftline_snapshot_bytes > 0")
    scraped("sum(increase(driftline_alerts_total[5m])) > 0")
    return Ran(prometheus, start, time.time() + 1.0, alerts)


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.name)
def test_there_is_something_to_see(ran: Ran, query: Query) -> None:
    assert ran.prometheus.values(query.text, ran.start, ran.end), query.text


def test_the_rules_are_evaluated_without_a_fault(ran: Ran) -> None:
    groups = ran.prometheus.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    assert len(rules) > 20
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []


def test_a_drift_wakes_somebody_with_words_that_are_filled_in(ran: Ran) -> None:
    told = [json.dumps(alert["annotations"]) for alert in ran.alerts]

    assert "DriftlineDriftOpen" in {alert["labels"]["alertname"] for alert in ran.alerts}
    assert [text for text in told if re.search(r"<no value>|<error|\{\{", text)] == []
