"""A service that runs tells of itself, and works whatever becomes of that."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from stream.config.model import Config
from stream.history.reader import Reader
from stream.history.recorder import Recorder
from stream.history.store import Batch, HistoryStore
from stream.stores.opening import open_history
from tests.integration.service.conftest import MakeStage
from tests.integration.support.running import InThread
from tests.integration.support.stage import Stage, event, label
from tests.integration.support.waiting import until

WATCHED: dict[str, Any] = {"detectors": {"concept": [{"kind": "adwin"}], "data": [{"kind": "ks"}]}}


def reader_of(config: Config) -> Reader:
    store = open_history(config)
    assert store is not None
    return Reader(store, config)


def fill(stage: Stage, first: int, end: int) -> None:
    stage.produce("events", [event(n, partition=n % 2) for n in range(first, end)])
    stage.produce("labels", [label(n, partition=n % 2) for n in range(first, end)])


def wait_predicted(reader: Reader, n: int) -> None:
    until(lambda: reader.overview().counts["events"]["predicted"] == n)


def test_what_a_service_does_can_be_seen_while_it_runs_and_after_it_was_restarted(make_stage: MakeStage) -> None:
    stage = make_stage(WATCHED, partitions=2)
    reader = reader_of(stage.config)
    for start in (0, 300):
        fill(stage, start, start + 300)
        with InThread(stage) as service:
            service.wait_ready()
            wait_predicted(reader, start + 300)
            until(lambda: reader.workers().workers)
            running = reader.overview(), reader.workers()
            until(lambda: len(reader.series(None, None, 300).at) > 1)

    overview, workers = running
    series = reader.series(None, None, 300)
    assert overview.partitions == [0, 1]
    assert (overview.health.state, overview.lag["events"]) == ("ok", 0)
    assert overview.champion is not None
    assert overview.champion.version == 1
    assert [(one.alive, one.partitions) for one in workers.workers] == [(True, [0, 1])]
    assert workers.workers[0].address.endswith(str(stage.config.http.port))
    assert {one.worker for one in workers.partitions} == {workers.workers[0].id}
    assert reader.workers().workers == [], "it has taken its leave"
    assert series.version[-1] == 1
    assert {row.detector for row in reader.drift(None, None, 100).rows} >= {"adwin", "ks"}
    feature = reader.feature("x", None)
    assert feature is not None
    assert feature.current is not None


def test_a_worker_whose_history_hangs_goes_on_predicting_and_stops_in_order(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, hangs = threading.Event(), threading.Event()

    def hang(self: HistoryStore, batch: Batch) -> None:
        reached.set()
        hangs.wait(60.0)

    monkeypatch.setattr(HistoryStore, "write", hang)
    stage = make_stage(partitions=2)
    with InThread(stage):
        assert reached.wait(30.0)
        fill(stage, 0, 400)
        predictions = stage.predictions(at_least=400)
        until(lambda: (stage.committed("events"), stage.committed("labels")) == (400, 400))
    hangs.set()

    assert sorted(one["id"] for one in predictions) == sorted(f"e{n}" for n in range(400))


def test_a_fault_in_what_is_told_costs_no_prediction(make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Recorder, *told: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Recorder, "_note_drifts", fail)
    stage = make_stage(partitions=2)
    fill(stage, 0, 100)
    with InThread(stage):
        assert len(stage.predictions(at_least=100)) == 100


def test_without_a_history_nothing_is_kept(make_stage: MakeStage) -> None:
    stage = make_stage({"history": None}, partitions=2)
    fill(stage, 0, 100)
    with InThread(stage):
        stage.predictions(at_least=100)
    stage.configure({"history": {}})

    assert reader_of(stage.config).overview().partitions == []
