"""Swaps under load: from a promotion to the moment at which each worker serves with the new version.

    python benchmarks/swaps.py                          # 1,000 swaps; some four minutes
    python benchmarks/swaps.py --swaps 100 --rate 500
    python benchmarks/swaps.py --policy replace_when_better    # workers learn, and promote by themselves in between

Two workers serve a partition each of a stream of events, with their labels, at a steady rate. Versions are published
and made the champion one after the other, at uneven intervals. The clock starts right before the call that promotes. A
worker has swapped when it logs so, between two spans: the next event is predicted by the new version. Beside it stands
when it handed the broker the first prediction by that version, which under exactly-once may have waited for the
transaction before. Afterwards all committed predictions are read: each event must have been predicted once, and
versions must follow each other in each partition without one going back.

With the policy `alert_only`, which is asked for unless `--policy` says otherwise, nobody but the benchmark promotes,
and models do not learn. With `keep_learning` they do. With `replace_when_better` the champion before learns on in
shadow as well, workers promote and roll back in between, and a promotion that one of theirs came before is made again,
and timed anew; a version of theirs, which has the higher number, may then be followed by one that was published before.

The last row is a process that does nothing but wake up every 5 ms: how much later than asked it did so is what the
machine adds wherever somebody waits for his turn. Where that is more than a few milliseconds the other rows tell of the
machine.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from itertools import pairwise
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Flag
from typing import NamedTuple, Self

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.live import CONTEXT, Sender
from bench.models import MODELS
from bench.place import Ends, Place
from bench.running import Worker
from stream.stores.base import StaleWriter, VersionMeta
from stream.stores.opening import open_store
from stream.stores.registry import ModelStore

MODEL = MODELS["Scaler + LogisticRegression"]
PARTITIONS = 2
STEADY = 3.0
"""Seconds of the stream that are predicted before the first promotion."""
PERCENTILES = (50, 90, 99)
NAP = 0.005
_ANSWER = 30.0
POLICIES = ("alert_only", "keep_learning", "replace_when_better")
APART = (0.12, 0.28)
"""Seconds between two promotions, least and most."""


class Prediction(msgspec.Struct):
    """What is looked at of a prediction."""

    partition: int
    offset: int
    model_version: int


class Seen(NamedTuple):
    """A prediction with the time at which it was handed to the broker, in seconds since the epoch."""

    at: float
    prediction: Prediction


class Sleeper:
    """Sleeps and wakes up as long as its block lasts; `late` are then the milliseconds by which it woke up too late."""

    def __init__(self) -> None:
        self._stop = CONTEXT.Event()
        self._queue: Queue[list[float]] = CONTEXT.Queue()
        self._process = CONTEXT.Process(target=_sleep, args=(self._queue, self._stop), daemon=True)
        self.late: list[float] = []

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.late = self._queue.get(timeout=_ANSWER)
        self._process.join()


def _sleep(queue: Queue[list[float]], stop: Flag) -> None:
    late = []
    while not stop.is_set():
        began = time.perf_counter()
        time.sleep(NAP)  # it is this that is measured
        late.append(1000 * (time.perf_counter() - began - NAP))
    queue.put(late)


def promote(store: ModelStore, name: str, swaps: int, console: Console) -> dict[int, float]:
    """Publish and promote versions, each with the first one's model; when each promotion was called, by version."""
    first = store.champion(name)
    assert first is not None
    learner, _ = store.load(name, first.version)
    chance = random.Random(1)
    called: dict[int, float] = {}
    epoch = first.epoch
    for _ in track(range(swaps), description="swaps", console=console):
        meta = VersionMeta(created=time.time(), recipe=learner.recipe, reason="benchmark", who="benchmark")
        version = store.publish(name, learner, meta=meta)
        time.sleep(chance.uniform(*APART))  # so that promotions meet workers at any point of what they go round in
        while True:
            called[version] = time.time()
            try:
                epoch = store.promote(name, version, expected_epoch=epoch, reason="benchmark", who="benchmark").epoch
                break
            except StaleWriter:  # a worker has promoted
                theirs = store.champion(name)
                assert theirs is not None
                epoch = theirs.epoch
    return called


def predictions(place: Place, topic: str) -> Iterator[Seen]:
    """All committed predictions, those of one partition of the events in their order."""
    settings = {"bootstrap.servers": place.address, "group.id": "swaps", "isolation.level": "read_committed"}
    consumer = Consumer({**settings, "enable.partition.eof": True, "log_level": 0})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    decode = msgspec.json.Decoder(Prediction).decode
    ended = 0
    while ended < PARTITIONS:
        for message in consumer.consume(5000, 1.0):
            if message.error() is None:
                yield Seen(message.timestamp()[1] / 1000, decode(message.value() or b""))
            else:  # the end of a partition
                ended += 1
    consumer.close()


def reached(seen: Iterable[Seen]) -> int:
    """Events up to the last predicted one of each partition."""
    counts: dict[int, int] = {}
    for _, one in seen:
        counts[one.partition] = max(one.offset + 1, counts.get(one.partition, 0))
    return sum(counts.values())


def check(seen: list[Seen]) -> tuple[int, int, int]:
    """Events predicted other than once, missing between the first and the last, and predicted by an older version than
    the event before.
    """
    twice = missing = back = 0
    for partition in range(PARTITIONS):
        mine = [one.prediction for one in seen if one.prediction.partition == partition]
        counts = Counter(one.offset for one in mine)
        twice += sum(1 for n in counts.values() if n > 1)
        missing += max(counts) + 1 - len(counts)
        mine.sort(key=lambda one: one.offset)
        back += sum(1 for one, other in pairwise(mine) if other.model_version < one.model_version)
    return twice, missing, back


def applied(workers: Sequence[Worker], called: Mapping[int, float]) -> list[float]:
    """Milliseconds from each promotion to the swap, of each worker that has not passed the version over."""
    found = []
    for worker in workers:
        for line in worker.written().splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("event") == "model_swapped" and said["version"] in called:
                at = datetime.fromisoformat(said["timestamp"]).timestamp()
                found.append(1000 * (at - called[said["version"]]))
    return found


def handed_over(seen: Sequence[Seen], called: Mapping[int, float]) -> list[float]:
    """Milliseconds from each promotion to the first prediction by its version, of each partition that has one."""
    first: dict[tuple[int, int], float] = {}
    for at, prediction in seen:
        key = prediction.partition, prediction.model_version
        first[key] = min(at, first.get(key, at))
    return [1000 * (at - called[version]) for (_, version), at in first.items() if version in called]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time from a promotion to predictions by the new version.")
    parser.add_argument("--swaps", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=2000, help="events per second, of both partitions together")
    parser.add_argument("--client", default="confluent", choices=("kafka-python", "confluent"))
    parser.add_argument("--policy", default=POLICIES[0], choices=POLICIES)
    options = parser.parse_args()
    console = Console()
    with Place() as place, ExitStack() as stack:
        stream = place.fill([], [], partitions=PARTITIONS)
        config = place.service(
            MODEL.learner,
            stream,
            options.client,
            "exactly_once",
            merge={"slack": 0.005},
            adaptation={"policy": options.policy},
        )
        workers = [stack.enter_context(Worker(place, one, level="info")) for one in (config, place.another(config))]
        for worker in workers:
            worker.wait_for(worker.ready)
        store, name = open_store(config), config.model.name
        committed = partial(predictions, place, config.topics.predictions)
        sent, said = (
            stack.enter_context(Ends(place.address, topic, PARTITIONS))
            for topic in (stream.events, config.topics.predictions)
        )
        with Sender(place.address, stream, options.rate), Sleeper() as sleeper:
            workers[0].wait_for(lambda: store.champion(name))
            workers[0].wait_for(lambda: said.count() >= STEADY * options.rate)
            called = promote(store, name, options.swaps, console)
            newest = {max(called): called[max(called)]}
            if options.policy != POLICIES[-1]:  # where one of theirs may follow at once
                workers[0].wait_for(lambda: len(applied(workers, newest)) == PARTITIONS)
            before = sent.count()
            workers[0].wait_for(lambda: sent.count() >= before + options.rate / 10)  # which it predicts
        workers[0].wait_for(lambda: reached(committed()) == sent.count())
        for worker in workers:
            worker.alive()
            worker.stop()
        seen = list(committed())
        swapped = applied(workers, called)
    handed = handed_over(seen, called)
    twice, missing, back = check(seen)
    title = f"{options.swaps:,} swaps at {options.rate:,.0f} events/s, two workers, {options.client}, {options.policy}"
    table = Table("from promotion to, ms", title=title)
    for head in (*(f"p{p:g}" for p in PERCENTILES), "max", "seen"):
        table.add_column(head, justify="right")
    for what, found in (("swap", swapped), ("first prediction with the broker", handed)):
        numbers = [f"{ms:.1f}" for ms in (*np.percentile(found, PERCENTILES), max(found))]
        table.add_row(what, *numbers, f"{len(found):,} of {PARTITIONS * len(called):,}")
    numbers = [f"{ms:.1f}" for ms in (*np.percentile(sleeper.late, PERCENTILES), max(sleeper.late))]
    table.add_row("(waking up, late by)", *numbers, f"{len(sleeper.late):,}")
    console.print(table)
    console.print(
        f"{len(seen):,} predictions; events predicted twice: {twice}, not at all: {missing}; predictions by an older "
        f"version than the one before: {back}."
    )


if __name__ == "__main__":
    main()
