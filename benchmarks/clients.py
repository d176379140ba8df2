"""The two Kafka clients behind the seam, in one run: CPU per record, and the time a transaction takes.

    python benchmarks/clients.py                  # a minute
    python benchmarks/clients.py --records 20000

Each client reads records of 150 bytes as a member of a group and produces as many, in batches, against a real broker
of its own; counted is the CPU of this process, which runs nothing else, not the broker's. Then come transactions of 20
records with one position, as a worker commits them: at one per 100 ms, and back to back. The clients take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from stream.config.model import Config
from stream.embedded.kafka import EmbeddedKafka
from stream.kafka.client import (
    Outgoing,
    Partition,
    Position,
    admin,
    make_consumer,
    make_producer,
    make_transactional_producer,
)
from stream.testing import small_config

CLIENTS = ("kafka-python", "confluent")
VALUE = b"x" * 150
BATCH = 500
PER_TRANSACTION = 20
SECONDS = 30.0


class Figures(NamedTuple):
    """CPU in microseconds per record; latencies in milliseconds, at leisure and back to back."""

    produced: float
    consumed: float
    paced: list[float]
    rushed: list[float]


class Nobody:
    """An owner with nothing to finish."""

    owned = 0

    def assigned(self, partitions: Iterable[Partition]) -> None:
        self.owned += len(list(partitions))

    def revoking(self, partitions: Iterable[Partition]) -> Mapping[Partition, Position]:
        return {}

    def revoked(self, partitions: Iterable[Partition], *, committed: bool) -> None:
        """Nothing to give up."""


def configuration(broker: EmbeddedKafka, client: str) -> Config:
    """A service with topics of its own."""
    app = f"b{uuid.uuid4().hex[:8]}"
    topics: dict[str, Any] = {name: f"{app}.{name}" for name in ("events", "labels", "predictions")}
    return small_config(
        {
            "app": app,
            "kafka": {"bootstrap_servers": broker.bootstrap_servers, "client": client},
            "topics": topics,
        }
    )


def measure(broker: EmbeddedKafka, client: str, records: int, transactions: int) -> Figures:
    """All figures of one client."""
    config = configuration(broker, client)
    topics = config.topics
    administrator = admin(config.kafka)
    names = [topic for topic in (topics.events, topics.labels, topics.predictions) if topic]
    administrator.create_topics({name: {"num_partitions": 1} for name in names}, wait_for_metadata=True)
    administrator.close()
    produced = produce(config, records)
    nobody = Nobody()
    consumer = make_consumer(config, nobody)
    producer = make_transactional_producer(config.kafka, f"{config.app}-bench")
    try:
        while not nobody.owned:
            consumer.poll(0.1)
        consumer.seek(topics.events, 0, 0)
        consumed = consume(consumer, records)
        latencies = []
        for pause in (0.1, 0.0):
            times = []
            for n in range(transactions):
                time.sleep(pause)
                consumer.poll(0.0)
                started = time.perf_counter()
                producer.begin()
                for _ in range(PER_TRANSACTION):
                    producer.send(Outgoing(topics.predictions, b"key", VALUE, []))
                producer.commit({(topics.events, 0): Position(n + 1, str(n))}, consumer.group(), SECONDS)
                times.append((time.perf_counter() - started) * 1000)
            latencies.append(times[5:])  # the first ones find their coordinators
        return Figures(produced, consumed, *latencies)
    finally:
        producer.close(5.0)
        consumer.close(5.0)


def produce(config: Config, records: int) -> float:
    """CPU per record of producing to the events topic, settled every `BATCH` records."""
    failed: list[BaseException] = []
    producer = make_producer(config.kafka)
    started = time.process_time()
    for n in range(records):
        producer.send(Outgoing(config.topics.events, b"key %d" % (n % 100), VALUE, []), failed.append)
        if n % BATCH == BATCH - 1:
            producer.flush(SECONDS)
    producer.flush(SECONDS)
    spent = time.process_time() - started
    producer.close(5.0)
    if failed:
        raise failed[0]
    return spent / records * 1e6


def consume(consumer: Any, records: int) -> float:
    """CPU per record of reading them, with their fields looked at as a decoder does."""
    seen = size = 0
    started = time.process_time()
    while seen < records:
        for batch in consumer.poll(0.1).values():
            seen += len(batch)
            for record in batch:
                size += len(record.value) + len(record.key) + (record.timestamp > 0) + (record.offset >= 0)
    return (time.process_time() - started) / records * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=60_000, help="records per turn and client")
    parser.add_argument("--transactions", type=int, default=105, help="transactions per turn, client and rhythm")
    parser.add_argument("--turns", type=int, default=3, help="turns; CPU is the median, latencies are put together")
    options = parser.parse_args()
    console = Console()
    found: dict[str, list[Figures]] = {client: [] for client in CLIENTS}
    with EmbeddedKafka(console=console) as broker, console.status("Measuring"):
        for _ in range(options.turns):
            for client in CLIENTS:
                found[client].append(measure(broker, client, options.records, options.transactions))
    console.print(table(found, f"{options.turns} x {options.records:,} records, {os.cpu_count()} cores"))


def table(found: Mapping[str, list[Figures]], title: str) -> Table:
    """One row per client."""
    made = Table(title=title, caption="us of CPU per record; ms per transaction, p50 / p99, at one per 100 ms")
    for head in ("client", "produce", "consume", "both", "transactions", "back to back"):
        made.add_column(head, justify="left" if head == "client" else "right")
    for client, figures in found.items():
        produced = statistics.median(figure.produced for figure in figures)
        consumed = statistics.median(figure.consumed for figure in figures)
        made.add_row(
            client,
            f"{produced:.1f}",
            f"{consumed:.1f}",
            f"{produced + consumed:.1f}",
            percentiles([ms for figure in figures for ms in figure.paced]),
            percentiles([ms for figure in figures for ms in figure.rushed]),
        )
    return made


def percentiles(times: list[float]) -> str:
    """The median and the 99th percentile."""
    return f"{statistics.median(times):.1f} / {statistics.quantiles(times, n=100)[98]:.1f}"


if __name__ == "__main__":
    main()
