"""What the history costs: a worker's time with and without it, and the room it takes in Redis when it is full.

python benchmarks/history.py

A worker's tasks take events at a rate, in spans, and are reported once a second, or as often as reports may be, without
a broker. Times are of the processor, by thread: the worker's loop, and the thread that writes to a real Valkey. Then a
history is filled to its bounds, and read.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import structs
from rich.console import Console
from rich.table import Table

from stream.basis import Basis
from stream.config.model import Config
from stream.decode import EventDecoder, LabelDecoder
from stream.embedded.valkey import EmbeddedValkey
from stream.history.frames import Layout, Now, Point
from stream.history.reader import Reader
from stream.history.recorder import Recorder
from stream.history.store import Batch, HistoryStore
from stream.history.taking import extended, now_of, point_of
from stream.history.tiers import TIERS
from stream.kafka.report import SHARE, Report, report_of
from stream.kafka.task import Task
from stream.records import Effect, Event, Span
from stream.stores.connection import connect
from stream.telemetry import Telemetry

SPAN = 100
WARM = 1600
"""Events of each task before it is timed."""


class Case(NamedTuple):
    """A worker: features and partitions, and the events it takes a second, of all partitions together."""

    features: int
    partitions: int
    rate: int


CASES = (Case(10, 1, 2000), Case(10, 4, 2000), Case(100, 4, 1000), Case(100, 50, 1000))


def config_of(features: int, url: str) -> Config:
    """A service with KS and PSI on all features, and labels inline."""
    return Config.model_validate(
        {
            "app": "bench",
            "redis": {"url": url},
            "topics": {"events": "e", "predictions": "p", "alerts": "a", "dead_letters": "d"},
            "events": {"label": "y", "features": {f"f{n}": {"type": "number"} for n in range(features)}},
            "model": {"name": "m", "problem": "binary", "learner": {"kind": "logistic"}},
            "detectors": {"concept": [{"kind": "adwin"}], "data": [{"kind": "ks"}, {"kind": "psi"}]},
        }
    )


Took = Callable[[Task, list[Effect]], None]
"""Is called with a task that has taken a span, and what came of it."""


class Crew:
    """The tasks of a worker, which take events and are reported, round after round."""

    def __init__(self, case: Case, config: Config) -> None:
        self._rng = random.Random(7)
        self._names = config.events.numeric
        self._rows = [self._row() for _ in range(500)]
        decoders = EventDecoder(config), LabelDecoder(config)
        self.tasks = [Task(config, partition, None, decoders) for partition in range(case.partitions)]
        self._taken = 0
        self.events = max(1, case.rate // case.partitions)

    def _row(self) -> dict[str, Any]:
        return {name: self._rng.random() for name in self._names}

    def warm_up(self, took: Took = lambda *_: None) -> None:
        """Until detectors have their references and windows."""
        for _ in range(WARM // SPAN):
            for task in self.tasks:
                took(task, self._take(task, SPAN))

    def take(self, took: Took) -> None:
        """A second of the worker's life, however long it takes."""
        for task in self.tasks:
            for start in range(0, self.events, SPAN):
                took(task, self._take(task, min(SPAN, self.events - start)))

    def report(self) -> list[tuple[Task, Report]]:
        """What is told of the tasks after it."""
        return [(task, report_of(task.engine.state)._replace(latencies=[0.001] * self.events)) for task in self.tasks]

    def _take(self, task: Task, n: int) -> list[Effect]:
        first = self._taken
        self._taken += n
        events = [
            Event(f"e{at}", float(at), float(at), at, self._rng.choice(self._rows), None, self._rng.random() > 0.5)
            for at in range(first, first + n)
        ]
        effects, task.taken, _ = task.engine.take(Span(events, received=1e9), 1e9)
        return effects


class Cost(NamedTuple):
    """In seconds: an event, a report of a task, and what the history adds to that: in the loop, and in its thread."""

    event: float
    report: float
    loop: float
    thread: float


def cost(case: Case, rounds: int, url: str) -> Cost:
    """What a worker's time is spent on."""
    config = config_of(case.features, url)
    crew, store, now, took = Crew(case, config), Noted(config), [time.time()], Spent()
    recorder = Recorder(Basis(config), store, Telemetry("m"), lambda: now[0], lambda: now[0])
    for task in crew.tasks:
        recorder.opened(task)
    crew.warm_up(recorder.took)
    events, reports, records, before = Spent(), Spent(), Spent(), others()
    for _ in range(rounds):
        now[0] += 1.0
        with events:
            crew.take(lambda task, effects: took.by(recorder.took, task, effects))
        with reports:
            told = crew.report()
        with records:
            for task, report in told:
                recorder.record(task, report, None)
        for _ in told:
            store.written.acquire()
    recorder.close(10.0)
    thread = others() - before
    each = rounds * case.partitions
    return Cost(
        (events.seconds - took.seconds) / (each * crew.events),
        reports.seconds / each,
        (records.seconds + took.seconds) / each,
        thread / each,
    )


class Spent:
    """Adds up the time that this thread spends on something."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._started = time.thread_time()

    def __exit__(self, *exc: object) -> None:
        self.seconds += time.thread_time() - self._started

    def by(self, do: Took, task: Task, effects: list[Effect]) -> None:
        """Do something with a task that has taken a span."""
        started = time.thread_time()
        do(task, effects)
        self.seconds += time.thread_time() - started


def others() -> float:
    """Time that all threads but this one have spent."""
    return time.process_time() - time.thread_time()


class Noted(HistoryStore):
    """Where the history of a service is; each point that is `written` can be waited for."""

    def __init__(self, config: Config) -> None:
        assert config.history is not None  # it is by default
        super().__init__(connect(config.redis), config.app, config.history)
        self.written = threading.Semaphore(0)

    def write(self, batch: Batch) -> None:
        super().write(batch)
        for tier, _ in batch.points:
            if tier is TIERS[0]:
                self.written.release()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What the history costs.")
    parser.add_argument("--rounds", type=int, default=12, help="seconds of a worker's life")
    options = parser.parse_args()
    console = Console()
    costs, rooms = Table(title="A worker's time"), Table(title="A full history")
    timed = ("an event, µs", "with history, µs", "a report, ms", "history: loop, ms", "thread, ms", "of the time")
    for head in ("features", "partitions", *timed):
        costs.add_column(head, justify="right")
    for head in ("features", "partitions", "points", "bytes each", "MB", "series, ms", "drift, ms", "overview, ms"):
        rooms.add_column(head, justify="right")
    with EmbeddedValkey() as server:
        for case in CASES:
            one = cost(case, options.rounds, server.url)
            often = min(case.partitions, SHARE / (one.report + one.loop))  # reports a second
            added = often * (one.loop + one.thread)
            costs.add_row(
                f"{case.features}",
                f"{case.partitions}",
                f"{1e6 * one.event:.1f}",
                f"{1e6 * (one.event + added / case.rate):.1f}",
                f"{1e3 * one.report:.2f}",
                f"{1e3 * one.loop:.2f}",
                f"{1e3 * one.thread:.2f}",
                f"{added:.2%}",
            )
            rooms.add_row(f"{case.features}", f"{case.partitions}", *room(case, server.url))
        console.print(costs, rooms)


def room(case: Case, url: str) -> list[str]:
    """What a history takes that is filled to its bounds, with points of this time, and how long its readers wait."""
    config = config_of(case.features, url)
    crew, store = Crew(case._replace(partitions=1), config), Noted(config)
    crew.warm_up()
    with connect(config.redis) as client:
        client.flushall()
        empty = int(client.info("memory")["used_memory"])
        point, layout, now_ = frames(crew.tasks[0])
        told = [structs.replace(now_, partition=partition) for partition in range(case.partitions)]
        store.write(Batch(layouts=[layout], nows=told))
        size, end = store.config.points, time.time()
        for partition in range(case.partitions):
            for tier in TIERS:
                ages = [tier.every * (size - number) for number in range(size)]
                points = [structs.replace(point, partition=partition, at=end - age, events=-age) for age in ages]
                store.write(Batch([(tier, one) for one in points]))
        taken = int(client.info("memory")["used_memory"]) - empty
    reader = Reader(store, config)
    waits = [
        waited(lambda: reader.series(None, end - 600, 300)),
        waited(lambda: reader.drift(None, end - 600, 120)),
        waited(reader.overview),
    ]
    kept = len(TIERS) * size * case.partitions
    return [f"{kept:,}", f"{taken / kept:.0f}", f"{taken / 1e6:.1f}", *(f"{1e3 * wait:.0f}" for wait in waits)]


def frames(task: Task) -> tuple[Point, Layout, Now]:
    """What is told of a task."""
    report = report_of(task.engine.state)
    now = now_of(task.partition, task.engine.state, report, worker="bench", at=time.time(), snapshot=None)
    layout = extended(Layout((), ()), now)
    return point_of(now, report, layout), layout, now


def waited(ask: Callable[[], object]) -> float:
    """Seconds that an answer takes, the second time."""
    ask()
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
