"""Killed, frozen, cut off and moved about: the same outputs once, and the same model, as if nothing had happened."""

from __future__ import annotations

import random
import sys

import pytest

from stream import faultpoints
from tests.faults.conftest import MakeStage
from tests.faults.support import Outcome, assert_same, fill, finish, kill_at_random, killed_at, outcome
from tests.integration.support.stage import Stage, merged

EVENTS = 4500
WORLD = {"flip": 2500, "back": 2700}
"""The drift is far enough into the stream that workers are killed often before it, and over before long: the challenger
that it promotes is worse afterwards, and the champion before comes back.
"""
PROMOTION = ("promoting", "model_published", "champion_moved", "swapped")
"""The steps between a promotion that is asked for and the commit of the swap."""
OFTEN = ("polled", "processed", "outputs_sent")
"""The steps that a worker takes several times before a commit."""

ADAPTING = {
    "adaptation": {"policy": "replace_when_better", "min_labels": 50},
    "detectors": {"concept": [{"kind": "ddm"}], "data": [{"kind": "ks"}]},
    "alerts": {"cooldown": "10s"},
    "model": {"learner": {"kind": "logistic"}},
    "kafka": {"instance": "w1", "max_poll_records": 40, "session_timeout": "6s"},
    "runtime": {"commit_interval": "20ms", "snapshot_interval": "200ms"},
    "scores": {"window": 200},
}


@pytest.fixture(scope="module")
def uninterrupted(make_stage: MakeStage) -> Outcome:
    stage = make_stage(ADAPTING)
    fill(stage, 0, EVENTS, **WORLD)
    finish(stage, EVENTS)
    expected = outcome(stage)
    assert len(expected.predictions[0]) == EVENTS
    assert [alert["kind"] for alert in expected.alerts if alert["action"] == "swapped"] == ["model_swap", "rollback"]
    return expected


def test_a_worker_killed_at_any_step_leaves_the_outputs_and_the_model_of_an_uninterrupted_run(
    stage: Stage, uninterrupted: Outcome
) -> None:
    points = [point for point in faultpoints.POINTS if point not in PROMOTION]
    stage.configure(merged(ADAPTING, {"merge": {"wait": "60s"}}))
    for number, point in enumerate(points):  # each finds something to do, however far those before it have come
        fill(stage, 200 * number, 200 * (number + 1), **WORLD)
        killed_at(stage, f"{point}:{3 if point in OFTEN else 1}")
    stage.configure({"merge": {"wait": "100ms"}})
    fill(stage, 200 * len(points), EVENTS, **WORLD)
    finish(stage, EVENTS)

    assert_same(outcome(stage), uninterrupted)


def test_a_worker_killed_on_the_way_of_a_promotion_or_a_rollback_swaps_at_the_same_event(
    stage: Stage, uninterrupted: Outcome
) -> None:
    stage.configure(ADAPTING)
    fill(stage, 0, EVENTS, **WORLD)
    finish(stage, EVENTS, faults=[f"{point}:1" for point in 2 * PROMOTION])

    assert_same(outcome(stage), uninterrupted)


@pytest.mark.parametrize("client", ["confluent", "kafka-python"])
def test_a_worker_killed_at_random_leaves_the_outputs_and_the_model_of_an_uninterrupted_run(
    stage: Stage, uninterrupted: Outcome, client: str
) -> None:
    stage.configure(merged(ADAPTING, {"kafka": {"client": client}}))
    fill(stage, 0, EVENTS, **WORLD)
    for _ in kill_at_random(stage, EVENTS, random.Random(12), 6):
        pass
    finish(stage, EVENTS)

    assert_same(outcome(stage), uninterrupted)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_random_kills_leave_the_outputs_and_the_model_of_an_uninterrupted_run(
    make_stage: MakeStage, uninterrupted: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty streams with ten kills each, with both clients in turn. `make soak` shows how it goes."""
    for seed in range(20):
        client = ("confluent", "kafka-python")[seed % 2]
        stage = make_stage(merged(ADAPTING, {"kafka": {"client": client}}))
        fill(stage, 0, EVENTS, **WORLD)
        committed = list(kill_at_random(stage, EVENTS, random.Random(seed), 10))
        finish(stage, EVENTS)
        assert_same(outcome(stage), uninterrupted)
        with capsys.disabled():
            sys.stdout.write(f"\n{10 * (seed + 1)} kills ({client}), all the same; committed at each: {committed}")
