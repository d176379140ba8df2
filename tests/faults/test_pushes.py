"""A pushed model is taken up, judged and promoted at the same events, wherever the worker is killed on the way."""

from __future__ import annotations

import pytest

from learners.base import Problem, Schema
from learners.linear import LogisticConfig
from learners.registry import build
from stream.stores.base import VersionMeta
from stream.stores.opening import open_store
from tests.faults.conftest import MakeStage
from tests.faults.support import Outcome, assert_same, fill, finish, outcome
from tests.integration.support.stage import Stage, x_of

EVENTS = 900
PUSHED_AT = 300

ADAPTING = {
    "model": {"learner": {"kind": "logistic", "learning_rate": 0.0001}},
    "adaptation": {"policy": "replace_when_better", "min_labels": 200},
    "kafka": {"instance": "w1", "max_poll_records": 40, "session_timeout": "6s"},
    "runtime": {"commit_interval": "20ms", "snapshot_interval": "1h"},
}
"""A champion that learns next to nothing, and a snapshot after each start only: the rest is done over."""


def push(stage: Stage) -> None:
    """Enter a model that knows what the champion does not."""
    learner = build(LogisticConfig(learning_rate=0.3), Problem.BINARY, Schema(("x",), ("kind",)), seed=1)
    learner.learn([{"x": x_of(n)} for n in range(500)], [x_of(n) > 0 for n in range(500)])
    store = open_store(stage.config)
    meta = VersionMeta(created=1.0, recipe="logistic", reason="pushed", who="test")
    store.challengers.enter("small", store.publish("small", learner, meta=meta), who="test")


def begin(stage: Stage) -> None:
    """A service that has run for a while, a model that is pushed then, and more events that wait."""
    fill(stage, 0, PUSHED_AT, flip=EVENTS)
    finish(stage, PUSHED_AT)
    push(stage)
    fill(stage, PUSHED_AT, EVENTS, flip=EVENTS)


@pytest.fixture(scope="module")
def uninterrupted(make_stage: MakeStage) -> Outcome:
    stage = make_stage(ADAPTING)
    begin(stage)
    finish(stage, EVENTS)
    expected = outcome(stage)
    assert {prediction["model_version"] for prediction in expected.predictions[0]} == {1, 3}
    assert open_store(stage.config).version("small", 3).parents == (2, 1)
    return expected


def test_a_worker_killed_on_the_way_of_a_challenger_from_outside_leaves_the_outputs_of_an_uninterrupted_run(
    make_stage: MakeStage, uninterrupted: Outcome
) -> None:
    stage = make_stage(ADAPTING)
    begin(stage)
    told, promoted = ("swapped:1", "journal_sent:1", "committed:1"), ("model_published:1", "champion_moved:1")
    finish(stage, EVENTS, faults=[*told, *promoted])

    assert_same(outcome(stage), uninterrupted)
    assert [meta.version for meta in open_store(stage.config).versions("small")] == [1, 2, 3]
