"""configs/prometheus/rules, run by promtool over made-up series: each rule fires when it should, and only then."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from stream.telemetry import Telemetry
from tests.system import program

ROOT = Path(__file__).parents[2]
RULES = ROOT / "configs/prometheus/rules/driftline.yml"
AT = "3h"
OF = 'job="driftline",instance="worker:8080"'

# A minute a sample: what a worker exports that is well and has 600 events and 300 labels a minute.
WELL: dict[str, str] = {
    "up": "1x180",
    "process_start_time_seconds": "0x180",
    "driftline_kafka_up": "1x180",
    "driftline_redis_up": "1x180",
    "driftline_loop_timestamp_seconds": "0+60x180",
    'driftline_snapshot_timestamp_seconds{partition="0"}': "0+60x180",
    "driftline_snapshot_failures_total": "0x180",
    'driftline_webhook_deliveries_total{hook="oncall",outcome="delivered"}': "0+1x180",
    'driftline_webhook_deliveries_total{hook="oncall",outcome="retried"}': "0+1x180",
    'driftline_webhook_deliveries_total{hook="oncall",outcome="given_up"}': "0x180",
    "driftline_models_refused_total": "0x180",
    "driftline_resume_gap_records_total": "0x180",
    'driftline_records_total{topic="events",outcome="predicted"}': "0+600x180",
    'driftline_records_total{topic="events",outcome="dead_lettered"}': "0x180",
    'driftline_records_total{topic="labels",outcome="joined"}': "0+300x180",
    'driftline_records_total{topic="labels",outcome="dead_lettered"}': "0x180",
    'driftline_prediction_latency_seconds_bucket{le="1.0"}': "0+600x180",
    'driftline_lag_records{topic="events",partition="0"}': "3x180",
    'driftline_lag_records{topic="labels",partition="0"}': "0x180",
    'driftline_open_drifts{kind="concept_drift",partition="0"}': "0x180",
    'driftline_open_drifts{kind="data_drift",partition="0"}': "0x180",
    'driftline_label_starvation{partition="0"}': "0x180",
    'driftline_vanished_classes{partition="0"}': "0x180",
    'driftline_fit_gap{model="flights",source="champion",partition="0"}': "0.1x180",
    'driftline_fit_loss{model="flights",source="champion",partition="0"}': "0.2x180",
    'driftline_fit_loss{model="flights",source="majority",partition="0"}': "0.3x180",
    'driftline_fit_loss{model="flights",source="last_value",partition="0"}': "0.4x180",
}


class Case(NamedTuple):
    """Series that differ from those of a worker that is well (None: not there), and the alerts that then fire."""

    series: Mapping[str, str | None]
    fires: frozenset[tuple[str, str]] = frozenset()  # names with their severities


def case(*fires: str) -> frozenset[tuple[str, str]]:
    """Alerts written `DriftlineDriftOpen critical`."""
    return frozenset((name, severity) for name, severity in (one.split() for one in fires))


DEAD = 'driftline_records_total{topic="events",outcome="dead_lettered"}'
PREDICTED = 'driftline_records_total{topic="events",outcome="predicted"}'
IN_TIME = 'driftline_prediction_latency_seconds_bucket{le="1.0"}'
LAG = 'driftline_lag_records{topic="events",partition="0"}'
LOSS = 'driftline_fit_loss{model="flights",source="champion",partition="0"}'
GAP = 'driftline_fit_gap{model="flights",source="champion",partition="0"}'
SNAPSHOT = 'driftline_snapshot_timestamp_seconds{partition="0"}'

CASES: dict[str, Case] = {
    "all is well": Case({}),
    "the errors drift": Case(
        {'driftline_open_drifts{kind="concept_drift",partition="0"}': "0x179 1"}, case("DriftlineDriftOpen critical")
    ),
    "a feature drifts": Case(
        {'driftline_open_drifts{kind="data_drift",partition="0"}': "0x179 2"}, case("DriftlineDriftOpen warning")
    ),
    "the champion is worse than a baseline": Case(
        {LOSS: "0.2x120 0.35x60"}, case("DriftlineScoreBelowBaseline critical")
    ),
    "the champion is worse than a baseline for a moment": Case({LOSS: "0.2x170 0.35x3 0.2x10"}),
    "the champion learns by heart": Case({GAP: "0.1x120 0.6x60"}, case("DriftlineFitGap warning")),
    "the champion learns by heart for a moment": Case({GAP: "0.1x170 0.6x10"}),
    "a model is refused": Case(
        {"driftline_models_refused_total": "0x170 1x10"}, case("DriftlineModelRefused critical")
    ),
    "a model is refused at the start": Case(
        {"driftline_models_refused_total": "_x170 1x10", "process_start_time_seconds": "_x170 10190x10"},
        case("DriftlineModelRefused critical"),
    ),
    "a model was refused long ago": Case({"driftline_models_refused_total": "1x180"}),
    "labels stop": Case(
        {'driftline_label_starvation{partition="0"}': "0x179 1"}, case("DriftlineLabelStarvation warning")
    ),
    "a class vanishes": Case(
        {'driftline_vanished_classes{partition="0"}': "0x179 1"}, case("DriftlineVanishedClass warning")
    ),
    "one event in thirty is a dead letter": Case(
        {DEAD: "0+20x180", PREDICTED: "0+580x180", IN_TIME: "0+580x180"},
        case(
            "DriftlineDeadLetters warning",
            "DriftlineErrorBudgetBurn critical",
            "DriftlineErrorBudgetBurn warning",
        ),
    ),
    "a few of few labels are dead letters": Case(
        {
            'driftline_records_total{topic="labels",outcome="joined"}': "0+1x180",
            'driftline_records_total{topic="labels",outcome="dead_lettered"}': "0x175 2x5",
        }
    ),
    "one event in a hundred takes too long": Case({IN_TIME: "0+594x180"}, case("DriftlineErrorBudgetBurn warning")),
    "one event in ten took too long until half an hour ago": Case({IN_TIME: "0+540x145 78900+600x35"}),
    "one event in two thousand takes too long": Case({IN_TIME: "0+599.7x180"}),
    "lag grows": Case({LAG: "0+10x180"}, case("DriftlineLagGrowing warning")),
    "lag is worked off": Case({LAG: "4000-10x180"}),
    "lag is twenty minutes of work": Case({LAG: "12000x180"}, case("DriftlineLagHigh critical")),
    "lag is twenty minutes of work for a moment": Case({LAG: "0x175 12000x5"}),
    "records wait and none are taken": Case(
        {LAG: "2000x180", PREDICTED: "600x180", IN_TIME: "600x180"}, case("DriftlineLagHigh critical")
    ),
    "a resume lacks records": Case(
        {"driftline_resume_gap_records_total": "0x170 40x10"}, case("DriftlineResumeGap critical")
    ),
    "a resume lacks records before it is scraped": Case(
        {"driftline_resume_gap_records_total": "_x170 40x10", "process_start_time_seconds": "_x170 10190x10"},
        case("DriftlineResumeGap critical"),
    ),
    "Kafka is away": Case({"driftline_kafka_up": "1x175 0x5"}, case("DriftlineKafkaDown critical")),
    "Kafka is away for a moment": Case({"driftline_kafka_up": "1x179 0"}),
    "Redis is away": Case({"driftline_redis_up": "1x175 0x5"}, case("DriftlineRedisDown warning")),
    "Redis is away for a moment": Case({"driftline_redis_up": "1x178 0 0"}),
    "snapshots have stopped": Case({SNAPSHOT: "0+60x150 9000x30"}, case("DriftlineSnapshotOld warning")),
    "a snapshot fails": Case(
        {"driftline_snapshot_failures_total": "0x170 1x10"}, case("DriftlineSnapshotFailures warning")
    ),
    "a webhook takes no alerts": Case(
        {'driftline_webhook_deliveries_total{hook="oncall",outcome="given_up"}': "0x170 1x10"},
        case("DriftlineWebhookLost warning"),
    ),
    "the loop stands still": Case(
        {"driftline_loop_timestamp_seconds": "0+60x170 10200x10"}, case("DriftlineWorkerStalled critical")
    ),
    "a worker does not answer": Case({"up": "1x175 0x5"}, case("DriftlineWorkerGone critical")),
    "no worker is scraped": Case({"up": None}, case("DriftlineWorkerGone critical")),
    "another job's target does not answer": Case({'up{job="prometheus"}': "0x180"}),
}


@cache
def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("promtool"), *words], capture_output=True, text=True, check=False, timeout=60)


def labelled(series: str) -> str:
    """A series with the labels of its target, where it has no job of its own."""
    if "job=" in series:
        return series
    name, _, labels = series.rstrip("}").partition("{")
    return f"{name}{{{OF}{',' if labels else ''}{labels}}}"


def test_promtool_takes_the_rules() -> None:
    checked = promtool("check", "rules", "--lint-fatal", str(RULES))

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("what", CASES)
def test_what_should_fire_fires_and_nothing_else(what: str, tmp_path: Path) -> None:
    series = {**WELL, **CASES[what].series}
    fires = [
        {"labels": f'{{alertname="{name}",severity="{severity}"}}', "value": 1} for name, severity in CASES[what].fires
    ]
    asked = 'count by (alertname, severity) (ALERTS{alertstate="firing"}) > bool 0'
    file = tmp_path / "test.yml"
    file.write_text(
        yaml.safe_dump(
            {
                "rule_files": [str(RULES)],
                "evaluation_interval": "1m",
                "tests": [
                    {
                        "interval": "1m",
                        "input_series": [
                            {"series": labelled(name), "values": values} for name, values in series.items() if values
                        ],
                        "promql_expr_test": [{"expr": asked, "eval_time": AT, "exp_samples": fires}],
                    }
                ],
            }
        )
    )

    tested = promtool("test", "rules", str(file))

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    fire = {alert for one in CASES.values() for alert in one.fires}

    assert {(alert["alert"], alert["labels"]["severity"]) for alert in alerts()} == fire


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: f"{alert['alert']} {alert['labels']['severity']}")
def test_an_alert_says_what_is_wrong_what_to_do_and_where_to_read_on(alert: dict[str, Any]) -> None:
    told = alert["annotations"]

    assert set(told) == {"summary", "description", "runbook_url"}
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert told["runbook_url"] == f"docs/troubleshooting.md#{alert['alert'].lower()}"
    assert told["description"].endswith(".")


def test_every_metric_in_a_rule_is_one_that_the_service_exports() -> None:
    exported = set(re.findall(r"^# TYPE (\w+) ", Telemetry("model").render()[0].decode(), re.MULTILINE))
    named = set(re.findall(r"\bdriftline_\w+", json.dumps([rule["expr"] for rule in rules()])))

    assert {name.removesuffix("_bucket") for name in named} <= exported
