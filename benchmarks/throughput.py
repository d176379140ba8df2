"""Throughput: River's bare loop, the engine alone, and the service over a real Kafka, in one run.

    python benchmarks/throughput.py                 # all of it, some minutes
    python benchmarks/throughput.py --no-service    # without Kafka
    python benchmarks/throughput.py --no-memory     # without a million events through the engine, memory at five points
    python benchmarks/throughput.py --profile       # where the service's time goes

Each figure is events per second; the ratio is against River's bare predict-then-learn loop of the same model, timed
right before, since machines are noisy. Ten numeric features, KS on all of them, ADWIN on the errors; a label follows
each event.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import io
import json
import os
import pstats
import random
import re
import resource
import secrets
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from river import forest, linear_model, preprocessing, tree

from stream.config.model import Config
from stream.core.engine import Engine
from stream.records import Event, Label, Span
from stream.testing import small_config

FEATURES = [f"f{i}" for i in range(10)]
SPAN = 100
IN_SPANS = f"engine, spans of {SPAN}"
ONE_BY_ONE = "engine, one by one (inline labels)"
SERVICE = "service over Kafka (kafka-python)"

MODELS: dict[str, tuple[dict[str, Any], Callable[[], Any], int]] = {
    "Scaler + LogisticRegression": (
        {
            "kind": "river",
            "pipeline": [
                {"use": "river.preprocessing.StandardScaler"},
                {"use": "river.linear_model.LogisticRegression"},
            ],
        },
        lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(),
        30_000,
    ),
    "HoeffdingTree": (
        {"kind": "river", "pipeline": [{"use": "river.tree.HoeffdingTreeClassifier"}]},
        tree.HoeffdingTreeClassifier,
        20_000,
    ),
    "ARF(10)": (
        {"kind": "river", "pipeline": [{"use": "river.forest.ARFClassifier", "with": {"n_models": 10, "seed": 1}}]},
        lambda: forest.ARFClassifier(n_models=10, seed=1),
        2_000,
    ),
}
"""Name -> learner configuration, the same model in bare River, and how many events are enough to time it."""


def rows(n: int) -> tuple[list[dict[str, float]], list[bool]]:
    """`n` rows of ten standard normal features, and whether the first three with some noise add up to more than 0."""
    rng = random.Random(42)
    xs = [{name: rng.gauss(0, 1) for name in FEATURES} for _ in range(n)]
    return xs, [x["f0"] + x["f1"] + x["f2"] + rng.gauss(0, 0.5) > 0 for x in xs]


def configuration(learner: dict[str, Any], **overrides: Any) -> Config:
    """A service on ten numeric features with KS on all of them and ADWIN on the errors."""
    return small_config(
        {
            "events": {"time": "ts", "features": {name: {"type": "number"} for name in FEATURES}},
            "model": {"learner": learner},
            "detectors": {"concept": [{"kind": "adwin"}], "data": [{"kind": "ks"}]},
            "adaptation": {"policy": "alert_only"},  # a challenger would learn as well: twice the model, not overhead
            **overrides,
        }
    )


def bare(model: Any, xs: list[dict[str, float]], ys: list[bool]) -> float:
    """Events per second of River's own loop."""
    started = time.perf_counter()
    for x, y in zip(xs, ys, strict=True):
        model.predict_proba_one(x)
        model.learn_one(x, y)
    return len(xs) / (time.perf_counter() - started)


def spans(xs: list[dict[str, float]], ys: list[bool], size: int, *, inline: bool = False, first: int = 0) -> list[Span]:
    """The same stream as spans of `size` events followed by their labels, or with inline labels."""
    cut = []
    for start in range(0, len(xs), size):
        numbers = range(start, min(start + size, len(xs)))
        ids = [(f"e{first + n}", float(first + n), first + n) for n in numbers]
        events = [
            Event(id_, ts, ts, offset, xs[n], b"k", ys[n] if inline else None)
            for n, (id_, ts, offset) in zip(numbers, ids, strict=True)
        ]
        labels = [] if inline else [Label(id_, ys[n], ts, o) for n, (id_, ts, o) in zip(numbers, ids, strict=True)]
        cut.append(Span(events, labels, [], 1e9))
    return cut


def engine(config: Config, cut: list[Span]) -> float:
    """Events per second of the engine on decoded records."""
    under_test = Engine(config, 0)
    gc.collect()
    started = time.perf_counter()
    for span in cut:
        under_test.process(span, 1e9)
    return sum(len(span.events) for span in cut) / (time.perf_counter() - started)


def service(learner: dict[str, Any], xs: list[dict[str, float]], ys: list[bool], *, profile: bool) -> float:
    """Events per second of the service over Kafka: a backlog of events and labels, worked off by one worker."""
    from stream.embedded.box import Box
    from stream.kafka.client import admin
    from stream.kafka.topics import ensure_topics
    from stream.service import Service

    with Box() as box:
        os.environ["DRIFTLINE_SIGNING_KEY"] = secrets.token_hex(32)
        config = configuration(
            learner,
            kafka={"bootstrap_servers": box.bootstrap_servers},
            redis={"url": box.redis_url},
            http={"port": 0},
            merge={"slack": SPAN},
        )
        client = admin(config.kafka)
        ensure_topics(client, config.topics, 1)
        client.close()
        produce(config, xs, ys)
        under_test = Service(config)
        profiler = cProfile.Profile()

        def run() -> None:
            if profile:
                profiler.runcall(under_test.run)
            else:
                under_test.run()

        worker = threading.Thread(target=run)
        worker.start()
        began = wait_for(lambda: predicted(under_test.http_port) > 0)
        first = predicted(under_test.http_port)
        ended = wait_for(lambda: predicted(under_test.http_port) >= len(xs))
        under_test.stop()
        worker.join()
        if profile:
            text = io.StringIO()
            pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(25)
            Console(soft_wrap=True).print(text.getvalue(), markup=False, highlight=False)
        return (len(xs) - first) / (ended - began)


def produce(config: Config, xs: list[dict[str, float]], ys: list[bool]) -> None:
    """Fill the topics."""
    producer = KafkaProducer(bootstrap_servers=config.kafka.bootstrap_servers, linger_ms=20, batch_size=256 * 1024)
    labels = config.topics.labels
    assert labels is not None
    for n, (x, y) in enumerate(zip(xs, ys, strict=True)):
        key, at = b"k", n * 1000
        event, label = {"id": f"e{n}", "ts": n, **x}, {"id": f"e{n}", "label": y}
        producer.send(config.topics.events, json.dumps(event).encode(), key, partition=0, timestamp_ms=at)
        producer.send(labels, json.dumps(label).encode(), key, partition=0, timestamp_ms=at)
    producer.flush()
    producer.close()


def predicted(port: int) -> int:
    """How many events a service says it has predicted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    found = re.search(r'driftline_records_total\{outcome="predicted",topic="events"\} (\S+)', text)
    return int(float(found[1])) if found else 0


def wait_for(condition: Callable[[], bool], timeout: float = 600) -> float:
    """The time at which the condition became true."""
    deadline = time.perf_counter() + timeout
    while not condition():
        if time.perf_counter() > deadline:
            raise TimeoutError("the service did not get there in time")
        time.sleep(0.05)
    return time.perf_counter()


def resident() -> float:
    """Resident memory of this process, in MB."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def memory(console: Console, total: int) -> None:
    """Send `total` events through one engine and print its memory at five points."""
    xs, ys = rows(10_000)
    under_test = Engine(configuration(MODELS["Scaler + LogisticRegression"][0]), 0)
    table = Table("events", "resident memory, MB", title=f"Memory over {total:,} events (engine, logistic regression)")
    for done in track(range(0, total, len(xs)), description="memory", console=console):
        for span in spans(xs, ys, SPAN, first=done):
            under_test.process(span, 1e9)
        reached = done + len(xs)
        if reached % (total // 5) == 0:
            gc.collect()
            table.add_row(f"{reached:,}", f"{resident():.0f}")
    console.print(table)


def measure(name: str, ways: list[str], options: argparse.Namespace, table: Table) -> None:
    """Measure one model in every way and add it to the table."""
    learner, make, n = MODELS[name]
    xs, ys = rows(n)
    one_way: dict[str, Callable[[], float]] = {
        IN_SPANS: lambda: engine(configuration(learner), spans(xs, ys, SPAN)),
        ONE_BY_ONE: lambda: engine(configuration(learner), spans(xs, ys, SPAN, inline=True)),
        SERVICE: lambda: service(learner, xs, ys, profile=options.profile),
    }
    reference = []
    for way in ways:
        pairs = []
        for _ in range(1 if way == SERVICE else options.rounds):
            base = bare(make(), xs, ys)
            pairs.append((one_way[way](), base))
        reference += [base for _, base in pairs]
        speed = statistics.median(speed for speed, _ in pairs)
        ratio = statistics.median(speed / base for speed, base in pairs)
        table.add_row(name, way, f"{speed:,.0f}", f"{ratio:.2f}x")
    table.add_row(name, "River's bare loop", f"{statistics.median(reference):,.0f}", "1x", end_section=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Throughput of the engine and the service against bare River.")
    parser.add_argument("--no-service", action="store_true", help="leave out what needs Kafka")
    parser.add_argument("--no-memory", action="store_true", help="leave out the million events")
    parser.add_argument("--memory-events", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true", help="print where the service's time goes")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median is printed")
    options = parser.parse_args()
    console = Console()
    table = Table("model", "what", "events/s", "of bare River", title="Throughput, one process")
    ways = [IN_SPANS, ONE_BY_ONE] + ([] if options.no_service else [SERVICE])
    for name in track(MODELS, description="throughput", console=console):
        measure(name, ways, options, table)
    console.print(table)
    if not options.no_memory:
        memory(console, options.memory_events)


if __name__ == "__main__":
    main()
