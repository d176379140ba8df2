"""The same flights, lived through or worked off as a backlog, give the same predictions and the same scores."""

from __future__ import annotations

import time
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
import yaml

from stream.core.problem import BinaryJudge
from stream.simulate.flights import Flights
from stream.simulate.source import Out, Topic
from tests.integration.service.conftest import MakeStage
from tests.integration.support.outside import Given
from tests.integration.support.running import Http, InThread
from tests.integration.support.stage import Stage
from tests.integration.support.waiting import until

EVENTS = 150

FLIGHTS = Path(__file__).parents[3] / "configs" / "flights.yaml"

Stamped: TypeAlias = tuple[Topic, Given]
Outcome: TypeAlias = tuple[dict[str, Any], dict[str, dict[str, float]]]


@pytest.fixture(scope="module")
def day() -> list[list[Out]]:
    """Flights and their landings in order of time, those together that come at the same minute on the same topic."""
    records = Flights().records(events=EVENTS)
    return [list(together) for _, together in groupby(records, key=lambda out: (out.timestamp, out.topic))]


@pytest.fixture
def stages(make_stage: MakeStage) -> list[Stage]:
    """The shipped service for flights, on one partition, thrice; no model is replaced, which would depend on Redis."""
    shipped = yaml.safe_load(FLIGHTS.read_text())
    overrides = {name: shipped[name] for name in ("events", "labels", "model", "detectors", "scores")}
    alike = {**overrides, "adaptation": {"policy": "keep_learning"}, "merge": {"wait": "1s"}}
    return [make_stage(alike) for _ in range(3)]


def live(stage: Stage, service: Http, day: list[list[Out]]) -> list[Stamped]:
    """Let the day happen now. As in life, what happens is taken in long before the next thing happens.

    Returns what was produced, in its order.
    """
    happened: list[Stamped] = []
    for together in day:
        now = time.time()
        happened += [(out.topic, Given(msgspec.json.encode(out.value), out.key, now)) for out in together]
        stage.produce(together[0].topic, [given for _, given in happened[-len(together) :]])
        wait_until_taken_in(service, len(happened))
    return happened


def wait_until_taken_in(service: Http, records: int) -> None:
    taken_in = partial(service.metric, "driftline_records_total")
    until(lambda: taken_in() == records, 15.0, lambda: f"{taken_in()} of {records} records were taken in")


def outcome(stage: Stage, service: Http, happened: list[Stamped]) -> Outcome:
    """Probabilities by id, and the reported scores, once the champion's are those that its predictions give."""
    predictions = {p["id"]: p["probabilities"] for p in stage.predictions(at_least=EVENTS)}
    labels = [msgspec.json.decode(given.value or b"") for topic, given in happened if topic == "labels"]
    outputs, truths = [predictions[label["id"]]["true"] for label in labels], [label["label"] for label in labels]
    judge = BinaryJudge(0.5, absolute=False)
    due = judge.scores(outputs, truths)
    until(
        lambda: due.items() <= (reported := scores(service))["champion"].items() and reported,
        10.0,
        lambda: f"{due} are due; reported are {scores(service)}",
    )
    return predictions, scores(service)


def scores(service: Http) -> dict[str, dict[str, float]]:
    """The reported scores, by source."""
    sources = ("champion", "majority", "last_value")
    metrics = ("accuracy", "f1", "roc_auc", "log_loss", "brier", "mean_loss")
    return {s: {m: service.metric("driftline_score", source=s, metric=m) for m in metrics} for s in sources}


def test_life_a_fast_replay_and_a_backlog_give_equal_predictions_and_equal_scores(
    day: list[list[Out]], stages: list[Stage]
) -> None:
    living, fast, backlog = stages

    with InThread(living) as service:
        service.wait_version(1)
        happened = live(living, service, day)
        life, life_scores = outcome(living, service, happened)

    with InThread(fast) as service:  # as fast as a producer can, thousands of times as fast as life
        service.wait_version(1)
        for topic, given in happened:
            fast.outside.send(fast.topic(topic), given)
        fast.outside.flush()
        replayed, replayed_scores = outcome(fast, service, happened)

    for wanted in ("events", "labels"):
        backlog.produce(wanted, [given for topic, given in happened if topic == wanted])
    with InThread(backlog) as service:
        worked_off, worked_off_scores = outcome(backlog, service, happened)

    assert len(life) == EVENTS
    assert len({str(probabilities) for probabilities in life.values()}) > EVENTS / 2  # it did learn
    assert replayed == life
    assert worked_off == life
    assert replayed_scores == life_scores
    assert worked_off_scores == life_scores
