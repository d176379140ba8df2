"""Latency: from just before an event is produced to its prediction in the hands of a subscriber, at half load.

    python benchmarks/latency.py                        # both clients, both deliveries; some minutes
    python benchmarks/latency.py --only exactly_once --commit-interval 0.05
    python benchmarks/latency.py --rate 2000            # events per second, whatever the load that it can take

First the load that the service can take is measured: events come faster than that. Then they come at half that rate,
each with its label a hundred events later. Sender, service, broker and subscriber (`read_committed`) are processes of
their own, on one machine, whose cores they share, and with one clock. Scaler + LogisticRegression, ten features, KS on
all, ADWIN; one partition. Beside it stands what Kafka takes alone at the same rate, right after: from just before an
event is produced to the event in the hands of a subscriber. A prediction takes that way twice.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.live import Receiver, Sender
from bench.models import MODELS
from bench.place import Place, Stream
from bench.running import Worker
from stream.config.model import Config

MODEL = MODELS["Scaler + LogisticRegression"]
WARM_SECONDS = 4.0
LOAD_SECONDS = 6.0
WAYS = [(c, d) for c in ("confluent", "kafka-python") for d in ("at_least_once", "exactly_once")]
PERCENTILES = (50, 90, 99, 99.9)


class Measured(NamedTuple):
    """Predictions received per second, and their latencies in milliseconds."""

    rate: float
    latencies: list[float]


def measure(place: Place, config: Config, stream: Stream, rate: float, seconds: float) -> Measured:
    """Send events at a rate to a service; what is received counts once it is warm."""
    with Worker(place, config) as worker, Receiver(place.address, config.topics.predictions) as receiver:
        worker.wait_for(worker.ready)
        found = observe(place, stream, receiver, rate, seconds)
        worker.alive()
        worker.stop()
    return found


def kafka_alone(place: Place, rate: float, seconds: float) -> Measured:
    """Send events at a rate to a topic, and receive them from there."""
    stream = place.fill([], [])
    with Receiver(place.address, stream.events) as receiver:
        return observe(place, stream, receiver, rate, seconds)


def observe(place: Place, stream: Stream, receiver: Receiver, rate: float, seconds: float) -> Measured:
    """Send events at a rate, for as long as it takes to be warm and so many seconds more; what came in these."""
    with Sender(place.address, stream, rate):
        warm = time.time() + WARM_SECONDS
        time.sleep(WARM_SECONDS + seconds)
    seen = [(sent, came) for sent, came in receiver.received() if came >= warm]
    return Measured(len(seen) / seconds, [1000 * (came - sent) for sent, came in seen])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Latency from event produced to prediction received.")
    parser.add_argument("--only", action="append", help="only clients or deliveries of this name; may be repeated")
    parser.add_argument("--commit-interval", type=float, default=0.02, help="for exactly_once, in seconds")
    parser.add_argument("--slack", type=float, default=0.005, help="`merge.slack`, in seconds")
    parser.add_argument("--rate", type=float, help="events per second instead of half the load")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each is measured")
    options = parser.parse_args()
    console = Console()
    table = Table("service", title=f"Latency, produced to received, ms; merge.slack {1000 * options.slack:g} ms")
    for head in ("commit interval", "load, events/s", "sent", "received", *(f"p{p:g}" for p in PERCENTILES)):
        table.add_column(head, justify="right")
    ways = [way for way in WAYS if not options.only or set(options.only) & set(way)]
    with Place() as place:

        def run(client: str, delivery: str, rate: float, seconds: float) -> Measured:
            stream = place.fill([], [])
            runtime = {"commit_interval": options.commit_interval if delivery == "exactly_once" else 0.1}
            merge = {"slack": options.slack}
            config = place.service(MODEL.learner, stream, client, delivery, merge=merge, runtime=runtime)
            return measure(place, config, stream, rate, seconds)

        for client, delivery in track(ways, description="latency", console=console):
            load = 0.0 if options.rate else run(client, delivery, math.inf, LOAD_SECONDS).rate
            rate = options.rate or load / 2
            found = run(client, delivery, rate, options.seconds)
            alone = kafka_alone(place, rate, options.seconds)
            interval = f"{1000 * (options.commit_interval if delivery == 'exactly_once' else 0.1):g} ms"
            for what, measured, cells in (
                (f"{client}, {delivery}", found, (interval, f"{load:,.0f}" if load else "")),
                ("  Kafka alone", alone, ("", "")),
            ):
                numbers = (f"{ms:,.1f}" for ms in np.percentile(measured.latencies, PERCENTILES))
                table.add_row(what, *cells, f"{rate:,.0f}", f"{measured.rate:,.0f}", *numbers)
    console.print(table)


if __name__ == "__main__":
    main()
