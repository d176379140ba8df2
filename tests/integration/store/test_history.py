"""The history against a real server: what is written is read back, bounded, whatever becomes of worker and server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import redis
import structlog
from structlog.testing import capture_logs

from stream.basis import Basis
from stream.config.model import Config
from stream.decode import EventDecoder, LabelDecoder
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import StoreError
from stream.history.answers import Column
from stream.history.columns import GONE
from stream.history.reader import Reader
from stream.history.recorder import Recorder
from stream.history.store import Batch, HistoryStore
from stream.history.tiers import TIERS
from stream.kafka.report import Report, report_of
from stream.kafka.task import Task
from stream.records import Span
from stream.stores.opening import open_history
from stream.telemetry import Telemetry
from stream.testing import event, label, small_config
from stream.web.status import Part, Status
from tests.clock import Clock
from tests.integration.store.conftest import hanging
from tests.integration.support.waiting import until
from tests.unit.history.made import LAYOUT, point
from tests.unit.kafka.test_task import a_task

T0 = 1_790_000_000.0
SOON = 20.0
"""Longest any of these waits, in seconds; they go on as soon as what they wait for is there."""
FINE, MIDDLE, COARSE = TIERS


class Worker:
    """A worker's recorder and its only task, which takes ten events a second, each with its label."""

    def __init__(self, config: Config, clock: Clock, task: Task | None = None) -> None:
        self.telemetry = Telemetry("small")
        store = open_history(config)
        assert store is not None
        self.recorder = Recorder(Basis(config), store, self.telemetry, clock, clock)
        self.clock = clock
        self.task = task or a_task()
        self.recorder.opened(self.task)

    def work(self, seconds: int, x: float = 0.0) -> None:
        for _ in range(seconds):
            self.clock.now += 1.0
            first = self.task.engine.state.events.count
            events = [event(n, {"x": x + n % 10, "kind": "ab"[n % 2]}, time=T0 + n) for n in range(first, first + 10)]
            labels = [label(n, n % 10 > 4, time=T0 + n) for n in range(first, first + 10)]
            effects, self.task.taken, _ = self.task.engine.take(Span(events, labels, received=T0), T0)
            self.recorder.took(self.task, effects)
            self.recorder.record(self.task, self.report(), snapshot=T0 - 60.0)
            self.recorder.worker(Status(0.0, True, {"kafka": Part("ok")}), [0])

    def report(self) -> Report:
        return report_of(self.task.engine.state)._replace(lags={"events": 3}, latencies=[0.002] * 10)


def a_task_of(config: Config) -> Task:
    return Task(config, 0, None, (EventDecoder(config), LabelDecoder(config)), clock=lambda: T0)


def config_for(server: EmbeddedValkey, **overrides: Any) -> Config:
    return small_config({"redis": {"url": server.url, "timeout": "1s"}, **overrides})


def reader_of(config: Config, clock: Clock) -> Reader:
    store = open_history(config)
    assert store is not None
    return Reader(store, config, clock)


@pytest.fixture
def clock() -> Clock:
    return Clock(T0)


@pytest.fixture
def history(server: EmbeddedValkey) -> HistoryStore:
    store = open_history(config_for(server))
    assert store is not None
    return store


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


def wait_for(reader: Reader, points: int) -> None:
    until(lambda: len(reader.series(None, T0 - 1.0, 2000).at) >= points, SOON)


def test_what_a_worker_did_is_read_back_without_it(server: EmbeddedValkey, clock: Clock) -> None:
    config = config_for(server)
    worker, reader = Worker(config, clock), reader_of(config, clock)
    worker.recorder.address = "127.0.0.1:8080"
    worker.work(5)
    wait_for(reader, 5)

    series, overview, workers = reader.series(None, None, 100), reader.overview(), reader.workers()

    assert series.at == [T0 + n for n in range(1, 6)]
    assert series.time == [T0 + 10 * n + 9 for n in range(5)]
    assert series.events_per_second == [None, 10.0, 10.0, 10.0, 10.0]
    assert series.lag_events == [3] * 5
    assert series.latency_p99_ms[-1] == pytest.approx(2.0)
    assert set(series.scores["champion"]) >= {"brier", "accuracy"}
    assert overview.counts["events"] == {"predicted": 50, "duplicate": 0, "dead_lettered": 0}
    assert (overview.rates["events_per_second"], overview.lag["events"], overview.partitions) == (10.0, 3, [0])
    assert (overview.metric, overview.health.state) == ("brier", "ok")
    assert [(one.alive, one.address, one.partitions) for one in workers.workers] == [(True, "127.0.0.1:8080", [0])]
    assert (workers.partitions[0].worker, workers.partitions[0].snapshot_age) == (workers.workers[0].id, 65.0)
    assert reader.labels().joined == 50
    assert b"NaN" not in msgspec.json.encode([series, overview, workers])
    worker.recorder.close(SOON)


def test_drift_and_features_are_read_back(server: EmbeddedValkey, clock: Clock) -> None:
    config = config_for(server, detectors={"data": [{"kind": "ks", "reference": 100}]})
    worker, reader = Worker(config, clock, a_task_of(config)), reader_of(config, clock)
    worker.work(70)
    worker.work(20, x=4.0)
    wait_for(reader, 90)

    drift, feature = reader.drift(None, None, 2000), reader.feature("x", None)
    score = reader.feature("score", None)

    (row,) = [row for row in drift.rows if (row.detector, row.feature) == ("ks", "x")]
    assert row.threshold is not None
    assert (len(row.ratio), max(filter(None, row.ratio)) > 0.5) == (len(drift.at), True)
    assert feature is not None
    assert [(one.detector, one.partition) for one in feature.watched_by] == [("ks", 0)]
    assert feature.reference is not None
    assert feature.source == "the first 100 events of the partition"
    assert (feature.reference.n, feature.current is not None) == (100, True)
    assert score is not None
    assert score.current is not None
    assert reader.feature("nobody", None) is None
    worker.recorder.close(SOON)


def test_a_restarted_worker_goes_on_in_the_same_series(server: EmbeddedValkey, clock: Clock) -> None:
    config = config_for(server)
    first = Worker(config, clock)
    first.work(3)
    first.recorder.close(SOON)
    again = Worker(config, clock, first.task)
    again.work(3)
    again.recorder.close(SOON)

    series = reader_of(config, clock).series(0, None, 100)

    assert series.at == [T0 + n for n in range(1, 7)]
    assert series.events_per_second == [None, 10.0, 10.0, 10.0, 10.0, 10.0]


def test_every_series_is_bounded_and_the_coarser_ones_reach_further_back(server: EmbeddedValkey, clock: Clock) -> None:
    config = config_for(server, history={"points": 60})
    store = open_history(config)
    assert store is not None
    for tier in TIERS:
        ages = range(99 * tier.every, -1, -tier.every)
        store.write(Batch([(tier, point(T0 - age, events=-age)) for age in ages], [LAYOUT]))

    found = store.points({(tier, 0): 1000 for tier in TIERS})
    series = reader_of(config, clock).series(0, T0 - 30_000.0, 500)

    assert [len(points) for points in found.values()] == [60, 60, 60]
    assert (series.at[0], series.at[-1]) == (T0 - 30_000.0, T0)


def test_a_full_history_of_ten_features_takes_less_than_400_bytes_a_point(
    history: HistoryStore, client: redis.Redis
) -> None:
    before = client.info("memory")["used_memory"]
    for tier in TIERS:
        history.write(Batch([(tier, point(T0 + n, drift=(1.0, 1.0), events=n)) for n in range(history.config.points)]))

    assert (client.info("memory")["used_memory"] - before) / (3 * history.config.points) < 400


def test_everything_kept_has_an_end_of_its_own(server: EmbeddedValkey, clock: Clock, client: redis.Redis) -> None:
    worker = Worker(config_for(server), clock)
    worker.work(40)
    until(lambda: client.exists("driftline:test:history:points:fine:0"), SOON)

    assert [key for key in client.scan_iter("driftline:test:history:*") if client.ttl(key) < 0] == []
    worker.recorder.close(SOON)


def test_what_came_while_the_server_was_away_is_written_when_it_is_back(
    own_server: EmbeddedValkey, clock: Clock, lines: list[Any]
) -> None:
    config = config_for(own_server)
    worker, reader = Worker(config, clock), reader_of(config, clock)
    worker.work(2)
    wait_for(reader, 2)
    with hanging(own_server):
        worker.work(3)
        until(lambda: any(line["event"] == "history_not_written" for line in lines), SOON)
        with pytest.raises(StoreError):
            reader.overview()
        worker.work(3)
    wait_for(reader, 8)

    told = [line["event"] for line in lines if line["event"].startswith("history")]
    assert told == ["history_not_written", "history_written_again"]
    assert reader.series(0, None, 100).at[-1] == T0 + 8
    worker.recorder.close(SOON)


def test_a_server_that_was_wiped_is_told_anew(server: EmbeddedValkey, clock: Clock, client: redis.Redis) -> None:
    config = config_for(server)
    worker, reader = Worker(config, clock), reader_of(config, clock)
    worker.work(2)
    wait_for(reader, 2)
    client.flushall()
    worker.work(30)
    wait_for(reader, 30)

    assert reader_of(config, clock).series(0, None, 100).scores["champion"]["brier"][-1] is not None
    worker.recorder.close(SOON)


def test_a_worker_that_died_is_remembered_for_a_while_and_one_that_left_is_not(
    server: EmbeddedValkey, clock: Clock, client: redis.Redis
) -> None:
    config = config_for(server)
    worker, reader = Worker(config, clock), reader_of(config, clock)
    worker.work(1)
    until(lambda: reader.workers().workers, SOON)
    (key,) = client.scan_iter("driftline:test:history:worker:*")
    client.expire(key, client.ttl(key) - int(GONE) - 1)  # as if it had been silent for so long

    (silent,) = reader.workers().workers
    dead = reader.overview().health.state
    worker.recorder.close(SOON)

    assert (silent.alive, dead) == (False, "down")
    assert reader.workers().partitions[0].worker is None
    assert reader.workers().workers == []


def test_who_watches_gets_each_partition_and_all_together_as_they_come(
    server: EmbeddedValkey, history: HistoryStore, clock: Clock
) -> None:
    reader, stop, seen = reader_of(config_for(server), clock), threading.Event(), list[Column]()
    thread = threading.Thread(target=seen.extend, args=(reader.watch(stop),))
    thread.start()
    for second in range(600):
        both = [(FINE, point(T0 + second, of, events=second * 10, drift=(0.5, None))) for of in (0, 1)]
        history.write(Batch(both, [LAYOUT]))
        if any(column.partition is None and column.point.values["events_per_second"] for column in seen):
            break
        stop.wait(0.1)
    stop.set()
    thread.join(SOON)

    together = [column.point for column in seen if column.partition is None][-1]
    assert {column.partition for column in seen} == {0, 1, None}
    assert together.values["events_per_second"] == 20.0
    assert together.drift == {"ks/x": 0.5}


def test_who_watches_goes_on_when_the_server_is_back(own_server: EmbeddedValkey, clock: Clock) -> None:
    config = config_for(own_server)
    worker, reader = Worker(config, clock), reader_of(config, clock)
    stop, seen = threading.Event(), list[Column]()
    thread = threading.Thread(target=seen.extend, args=(reader.watch(stop),))
    thread.start()
    own_server.stop()
    own_server.start()
    for _ in range(200):
        worker.work(1)
        if seen:
            break
        stop.wait(0.1)
    stop.set()
    thread.join(SOON)

    assert (bool(seen), thread.is_alive()) == (True, False)
    worker.recorder.close(SOON)


def test_of_a_history_nobody_has_written_there_is_nothing_to_read(server: EmbeddedValkey, clock: Clock) -> None:
    reader = reader_of(config_for(server), clock)

    assert (reader.series(None, None, 10).at, reader.drift(None, None, 10).rows) == ([], [])
    assert (reader.overview().champion, reader.labels().per_partition) == (None, [])
    assert reader.workers().workers == []
    assert open_history(small_config({"history": None})) is None


def test_what_somebody_else_wrote_there_is_taken_for_not_there(
    history: HistoryStore, server: EmbeddedValkey, clock: Clock, client: redis.Redis
) -> None:
    history.write(Batch([(FINE, point(T0))], [LAYOUT]))
    client.rpush("driftline:test:history:points:fine:0", b"\xff nonsense")
    client.hset("driftline:test:history:now", "0", b"nonsense")

    assert reader_of(config_for(server), clock).series(0, T0 - 1.0, 10).at == [T0]
    assert reader_of(config_for(server), clock).overview().champion is None
