"""A model that was trained elsewhere, pushed to a service that runs: it competes, and is promoted when it is better."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import redis
from river import compose, linear_model, optim, preprocessing

from stream.stores.opening import open_store
from tests.integration.service.conftest import MakeStage
from tests.integration.service.test_models import driftline_models
from tests.integration.support.running import InThread
from tests.integration.support.stage import Stage, event, label, x_of
from tests.integration.support.waiting import until

SLOW = {
    "model": {"learner": {"kind": "logistic", "learning_rate": 0.0001}},
    "adaptation": {"policy": "replace_when_better", "min_labels": 200},
}
"""A champion that learns next to nothing."""


def produce(stage: Stage, first: int, end: int) -> None:
    stage.produce("events", [event(n) for n in range(first, end)])
    stage.produce("labels", [label(n) for n in range(first, end)])


def trained_elsewhere(tmp_path: Path) -> Path:
    """A pickle of a River pipeline that knows the concept."""
    model = compose.Pipeline(
        compose.Select("x"), preprocessing.StandardScaler(), linear_model.LogisticRegression(optim.SGD(0.1))
    )
    for n in range(2000):
        model.learn_one({"x": x_of(n)}, x_of(n) > 0)
    file = tmp_path / "elsewhere.pickle"
    file.write_bytes(pickle.dumps(model))
    return file


@pytest.fixture
def slow_stage(make_stage: MakeStage) -> Stage:
    return make_stage(SLOW)


def wait_held(stage: Stage, versions: bytes | None) -> None:
    """Wait until the task has said to the store that these versions live on in it."""
    with redis.Redis.from_url(stage.config.redis.url) as client:
        until(lambda: client.hget(f"driftline:{stage.app}:model:small:held", "task 0") == versions)


def test_a_pushed_model_that_proves_better_serves_as_a_child_of_its_version_and_the_champion(
    slow_stage: Stage, tmp_path: Path
) -> None:
    stage = slow_stage
    with InThread(stage) as service:
        produce(stage, 0, 50)
        stage.predictions(at_least=50)
        service.wait_version(1)
        said = driftline_models(stage, "push", str(trained_elsewhere(tmp_path)))
        wait_held(stage, b"2")
        produce(stage, 50, 450)
        service.wait_version(3)
        produce(stage, 450, 500)
        predictions = stage.predictions(at_least=500)
        swap = stage.alerts("model_swap")[0].json
        listed = json.loads(driftline_models(stage, "list", "--json"))

    assert said.startswith("model small version 2: foreign: Select | StandardScaler | LogisticRegression")
    versions = [prediction["model_version"] for prediction in predictions]
    assert sorted(versions) == versions
    assert set(versions) == {1, 3}
    assert swap["model_version"] == 3
    champion = listed[-1]
    assert (champion["version"], champion["champion"], champion["parents"]) == (3, True, [2, 1])
    assert (champion["recipe"], champion["who"]) == (listed[1]["recipe"], "task 0")
    assert all("competes_since" not in version for version in listed)


def test_a_pushed_model_that_is_withdrawn_is_not_promoted_however_good(slow_stage: Stage, tmp_path: Path) -> None:
    stage = slow_stage
    with InThread(stage) as service:
        produce(stage, 0, 50)
        stage.predictions(at_least=50)
        service.wait_version(1)
        driftline_models(stage, "push", str(trained_elsewhere(tmp_path)))
        wait_held(stage, b"2")
        driftline_models(stage, "withdraw", "2")
        wait_held(stage, None)
        produce(stage, 50, 600)
        predictions = stage.predictions(at_least=600)

    assert {prediction["model_version"] for prediction in predictions} == {1}
    assert [meta.version for meta in open_store(stage.config).versions("small")] == [1, 2]
