"""From events to predictions and alerts, as those see it who produce and subscribe."""

from __future__ import annotations

import pytest

from tests.integration.service.conftest import MakeStage
from tests.integration.support.running import InThread
from tests.integration.support.stage import Stage, event, label, x_of


def test_every_event_gets_exactly_one_prediction_with_all_that_a_subscriber_needs(stage: Stage) -> None:
    events = [event(n) for n in range(300)]
    with InThread(stage) as service:
        service.wait_version(1)
        stage.produce("events", events)
        seen = stage.read("predictions", at_least=300)

    predictions = [s.json for s in seen]
    assert [p["id"] for p in predictions] == [f"e{n}" for n in range(300)]
    assert [s.key for s in seen] == [e.key for e in events]
    assert [(p["partition"], p["offset"]) for p in predictions] == [(0, n) for n in range(300)]
    assert {(p["model"], p["model_version"]) for p in predictions} == {("small", 1)}
    assert predictions[0]["probabilities"] == {"true": 0.5, "false": 0.5}
    assert predictions[0]["prediction"] is True
    assert all(0 <= p["latency_ms"] < 60_000 for p in predictions)


def test_labels_teach_the_model_that_predicts(stage: Stage) -> None:
    stage.produce("events", [event(n) for n in range(400)])
    stage.produce("labels", [label(n) for n in range(400)])
    with InThread(stage):
        predictions = stage.predictions(at_least=400)

    right = [p["prediction"] == (x_of(n) > 0) for n, p in enumerate(predictions)]
    assert sum(right[300:]) >= 95


def test_a_flipped_concept_is_told_and_a_challenger_takes_over_by_itself(make_stage: MakeStage) -> None:
    stage = make_stage(
        {
            "model": {"learner": {"kind": "logistic", "learning_rate": 0.05}},
            "detectors": {"concept": [{"kind": "ddm"}]},
            "adaptation": {"min_labels": 50},
        }
    )
    stage.produce("events", [event(n) for n in range(1400)])
    stage.produce("labels", [label(n, (x_of(n) > 0) == (n < 700)) for n in range(1400)])
    with InThread(stage) as service:
        predictions = stage.predictions(at_least=1400)
        drifts, swaps = stage.alerts("concept_drift"), stage.alerts("model_swap")
        drifts = [drift for drift in drifts if drift.json["state"] == "open"]
        alerts_counted = service.metric("driftline_alerts_total", kind="concept_drift")
        swaps_counted = service.metric("driftline_swaps_total", reason="beat_champion")

    assert len(drifts) == 1 == alerts_counted
    alert = drifts[0].json
    assert 700 < alert["offset"] < 900
    assert (alert["model"], alert["model_version"], alert["partition"]) == ("small", 1, 0)
    assert (alert["detector"], alert["severity"], alert["direction"]) == ("ddm", "critical", "worse")
    assert alert["action"] == "challenger_started"
    assert alert["before"] < 0.3 < alert["after"]
    assert alert["statistic"] > alert["threshold"]
    assert alert["reference"]["first_offset"] <= alert["current"]["first_offset"] < alert["current"]["last_offset"]
    assert alert["current"]["last_offset"] == alert["offset"]

    versions = [p["model_version"] for p in predictions]
    first = versions.index(2)
    assert versions == [1] * first + [2] * (1400 - first)
    assert len(swaps) == 1 == swaps_counted
    assert swaps[0].json["model_version"] == 2
    assert swaps[0].json["detail"] == "version 1 to 2: beat_champion"
    right = [p["prediction"] == (x_of(n) <= 0) for n, p in enumerate(predictions)]
    assert sum(right[-100:]) >= 85


def test_alerts_carry_cloudevents_headers(make_stage: MakeStage) -> None:
    stage = make_stage({"detectors": {"concept": [{"kind": "ddm"}]}, "adaptation": {"policy": "keep_learning"}})
    stage.produce("events", [event(n) for n in range(500)])
    stage.produce("labels", [label(n, (x_of(n) > 0) == (n < 300)) for n in range(500)])
    with InThread(stage):
        seen = stage.alerts("concept_drift")[0]

    alert, headers = seen.json, {name: value.decode() for name, value in seen.headers.items()}
    assert seen.key == b"small"
    assert headers.pop("ce_time").startswith("2023-11-14T")
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": alert["id"],
        "ce_source": f"/driftline/{stage.app}/small/0",
        "ce_type": "driftline.concept_drift",
        "content-type": "application/json",
    }
    assert alert["action"] == "none"


def test_labels_may_come_inline(make_stage: MakeStage) -> None:
    stage = make_stage({"topics": {"labels": None}, "events": {"label": "truth"}})
    rows = [{"x": x_of(n), "kind": "a", "truth": x_of(n) > 0} for n in range(300)]
    stage.produce("events", [event(n, row) for n, row in enumerate(rows)])
    with InThread(stage) as service:
        predictions = stage.predictions(at_least=300)
        pending = service.metric("driftline_pending_labels")

    assert predictions[0]["probabilities"]["true"] == 0.5  # predicted before its own label was learned
    assert predictions[1]["probabilities"]["true"] != 0.5
    assert sum(p["prediction"] == (x_of(n) > 0) for n, p in enumerate(predictions[200:], 200)) >= 95
    assert pending == 0


def test_several_classes_end_to_end(make_stage: MakeStage) -> None:
    def truth(n: int) -> str:
        return "low" if x_of(n) < -0.33 else "high" if x_of(n) > 0.33 else "middle"

    stage = make_stage({"model": {"problem": "multiclass", "learner": {"kind": "hoeffding_adaptive_tree"}}})
    stage.produce("events", [event(n) for n in range(900)])
    stage.produce("labels", [label(n, truth(n)) for n in range(900)])
    with InThread(stage) as service:
        predictions = stage.predictions(at_least=900)
        service.wait_version(1)

    assert predictions[0]["prediction"] is None
    assert predictions[0]["probabilities"] == {}
    last = predictions[-1]
    assert set(last["probabilities"]) == {"low", "middle", "high"}
    assert sum(last["probabilities"].values()) == pytest.approx(1.0)
    right = [p["prediction"] == truth(n) for n, p in enumerate(predictions)]
    assert sum(right[-200:]) >= 150


def test_numbers_end_to_end(make_stage: MakeStage) -> None:
    stage = make_stage({"model": {"problem": "regression", "learner": {"kind": "linear_regression"}}})
    stage.produce("events", [event(n) for n in range(600)])
    stage.produce("labels", [label(n, 20 * x_of(n) + 5) for n in range(600)])
    with InThread(stage):
        predictions = stage.predictions(at_least=600)

    assert all(p["probabilities"] is None for p in predictions)
    errors = [abs(p["prediction"] - (20 * x_of(n) + 5)) for n, p in enumerate(predictions)]
    assert sum(errors[-100:]) / 100 < 3 < sum(errors[:20]) / 20
