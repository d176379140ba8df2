"""What a task watches besides errors and features as they come: predictions, and what a budget makes of detectors."""

from __future__ import annotations

import pickle
import random

import pytest

from detectors.base import State
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.records import Event, Swap
from stream.testing import drive, event, label, small_config
from tests.unit.core.streams import drifts, stream

SMALL = {"reference": 200, "window": 100}


def shifted(n: int, at: int, *, start: int = 0) -> list[Event]:
    """Events whose `x` moves by three deviations at event `at`."""
    rng = random.Random(5)
    return [event(start + i, {"x": rng.gauss(0 if i < at else 3, 1), "kind": "a"}) for i in range(n)]


def test_an_alert_says_how_many_events_pass_on_average_before_chance_raises_one_like_it() -> None:
    alarms = {"expected_events_per_false_alarm": 50_000}
    detectors = {"concept": [{"kind": "e_detector"}], "data": [{"kind": "ks", **SMALL}], "rejected": None}
    engine = Engine(small_config({"detectors": detectors, "alarms": alarms}), 0)

    effects = drive(engine, [*stream(900, flip_at=600), *shifted(1500, 800, start=900)])

    found = drifts(effects, "concept_drift") + drifts(effects, "data_drift")
    assert {(a.detector, a.expected_events_per_false_alarm) for a in found} == {("e_detector", 1e5), ("ks", 1e5)}


def test_an_alert_of_a_detector_set_by_hand_does_not_claim_to_know() -> None:
    concept = [{"kind": "page_hinkley", "threshold": 9}]

    effects = drive(Engine(small_config({"detectors": {"concept": concept}}), 0), stream(900, flip_at=600))

    assert [a.expected_events_per_false_alarm for a in drifts(effects, "concept_drift")] == [None]


@pytest.mark.parametrize(("kind", "feature"), [("ks", "score"), ("chi_squared", "class")])
def test_predictions_that_change_raise_an_alert_of_their_own(kind: str, feature: str) -> None:
    prediction = {"prediction": [{"kind": kind, **SMALL}]}
    engine = Engine(small_config({"detectors": prediction, "alerts": {"cooldown": 0}}), 0)
    drive(engine, stream(600))
    rng = random.Random(3)
    later = [event(600 + i, {"x": rng.uniform(-1 if i < 600 else 0, 1)}) for i in range(1200)]

    effects = drive(engine, later, span=37)

    (alert,) = drifts(effects, "prediction_drift")
    assert (alert.severity, alert.detector, alert.feature) == ("warning", kind, feature)
    assert 1200 <= alert.offset < 1500
    assert drifts(effects, "data_drift") == []


def test_another_champions_predictions_are_not_held_against_the_former_ones() -> None:
    prediction = {"prediction": [{"kind": "ks", **SMALL}]}
    config = small_config({"detectors": prediction, "alerts": {"cooldown": 0}})
    engine, sure = Engine(config, 0), Engine(config, 0)
    drive(engine, [one for i in range(600) for one in (event(i, {"x": 0.5}), label(i, i % 2 == 0))])
    drive(sure, [one for i in range(600) for one in (event(i, {"x": 0.5}), label(i, True))])
    unlabelled = [event(600 + i, {"x": 0.5 + i % 2 / 100}) for i in range(1200)]
    drive(engine, unlabelled[:600])

    engine.command(Swap(sure.state.champion, 2, "beat_champion"), 0.0)
    effects = drive(engine, unlabelled[600:])

    assert engine.state.monitors.readings()["ks", "score"].state is State.STABLE
    assert drifts(effects, "prediction_drift") == []


@pytest.mark.parametrize(
    ("problem", "learner", "kind", "known"),
    [
        ("multiclass", "hoeffding_tree", "chi_squared", {"class"}),
        ("multiclass", "hoeffding_tree", "ks", {"score"}),
        ("regression", "linear_regression", "ks", {"score"}),
        ("regression", "linear_regression", "missing_rate", {"score"}),
        ("binary", "logistic", "missing_rate", {"score", "class"}),
    ],
)
def test_each_problem_shows_what_its_predictions_hold(problem: str, learner: str, kind: str, known: set[str]) -> None:
    model = {"problem": problem, "learner": {"kind": learner}}
    engine = Engine(small_config({"model": model, "detectors": {"prediction": [{"kind": kind}]}}), 0)

    drive(engine, shifted(10, 5))

    assert {feature for name, feature in engine.state.monitors.readings() if name == kind} == known


def test_a_restored_task_goes_on_watching_predictions_as_it_would_have() -> None:
    config = small_config({"detectors": {"prediction": [{"kind": "ks", **SMALL}]}})
    lived, engine = Engine(config, 0), Engine(config, 0)
    first, second = shifted(777, 400), shifted(600, 0, start=777)
    drive(lived, [*first, *second])

    drive(engine, first)
    restored = Engine(config, 0, pickle.loads(pickle.dumps(engine.state)))
    drive(restored, second)

    assert fingerprint(restored.state.monitors) == fingerprint(lived.state.monitors)


def in_two_countries(n: int, at: int, *, moves: tuple[str, ...]) -> list[Event]:
    """Events in turns of two countries; `x` moves by three deviations at event `at` in some of them."""
    rng = random.Random(5)
    made = []
    for i in range(n):
        country = "ab"[i % 2]
        made.append(event(i, {"x": rng.gauss(3 if i >= at and country in moves else 0, 1), "kind": country}))
    return made


def test_an_alert_names_the_segment_that_changed() -> None:
    ks = {"kind": "ks", **SMALL, "segments": {"by": "kind"}}
    engine = Engine(small_config({"detectors": {"data": [ks]}}), 0)

    found = drifts(drive(engine, in_two_countries(3000, 2000, moves=("b",)), span=37), "data_drift")

    assert [(a.detector, a.feature, a.segment) for a in found] == [("ks", "x", "kind=b")]
    assert 2000 <= found[0].offset < 2400


def test_the_change_in_a_segment_is_placed_in_the_whole_stream() -> None:
    ks = {"kind": "ks", **SMALL, "segments": {"by": "kind"}}
    engine = Engine(small_config({"detectors": {"data": [ks]}}), 0)

    (found,) = drifts(drive(engine, in_two_countries(3000, 2000, moves=("b",)), span=37), "data_drift")

    assert found.change is not None
    assert found.change.offset == pytest.approx(2000, abs=50)
    assert found.change.ts == found.change.offset
    assert found.current is not None
    assert found.current.first_offset == pytest.approx(found.offset - 2 * found.current.n, abs=50)


def test_segments_that_change_together_are_one_alert_that_names_them() -> None:
    ks = {"kind": "ks", **SMALL, "segments": {"by": "kind"}}
    engine = Engine(small_config({"detectors": {"data": [ks]}}), 0)

    (found,) = drifts(drive(engine, in_two_countries(2300, 2000, moves=("a", "b")), span=37), "data_drift")

    assert {(one.feature, one.segment) for one in found.contributors} == {("x", "kind=a"), ("x", "kind=b")}


@pytest.mark.parametrize("by", ["kind", "class"])
def test_predictions_are_watched_apart_by_a_feature_of_their_events_or_by_their_class(by: str) -> None:
    ks = {"kind": "ks", **SMALL, "segments": {"by": by}}
    engine = Engine(small_config({"detectors": {"prediction": [ks]}, "alerts": {"cooldown": 0}}), 0)
    drive(engine, stream(600))

    found = drifts(drive(engine, in_two_countries(3000, 2000, moves=("b",)), span=37), "prediction_drift")

    assert {(a.feature, a.segment) for a in found if a.offset >= 2000} >= {
        ("score", "kind=b" if by == "kind" else "class=true")
    }
    assert by == "class" or "kind=a" not in {a.segment for a in found if a.offset >= 2000}
