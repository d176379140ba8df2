"""Recovery: from kill -9 to the first new prediction, against the time between snapshots.

    python benchmarks/recovery.py                       # some minutes
    python benchmarks/recovery.py --intervals 5 30 --rate 2000

A worker with a name of its own (`kafka.instance`) takes events at a steady rate. It is killed when nine tenths of the
interval have passed since its last snapshot, and started again at once: it loads the snapshot, does over from its
journal what came after, and goes on. The first prediction that a `read_committed` subscriber then receives ends the
clock. The first row is a worker that is started with nothing to resume: what start-up alone takes.
"""

from __future__ import annotations

import argparse
import time

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.live import Receiver, Sender
from bench.models import MODELS
from bench.place import Place
from bench.running import Worker

MODEL = MODELS["Scaler + LogisticRegression"]
DELIVERED = 0.5
"""Seconds after which a subscriber has all that was committed before a kill; a worker takes longer to start."""
LATE = 1.0


def recovery(place: Place, client: str, interval: float, rate: float) -> tuple[float, int, float, float]:
    """Seconds to the first prediction of a fresh worker; events it had to do over after the kill; seconds to the first
    new prediction, and until no prediction was more than a second late.
    """
    stream = place.fill([], [])
    config = place.service(
        MODEL.learner,
        stream,
        client,
        "exactly_once",
        kafka={"instance": place.name("worker")},
        merge={"slack": 0.005},
        runtime={"snapshot_interval": interval, "snapshot_events": 10**9},
    )
    with Sender(place.address, stream, rate), Receiver(place.address, config.topics.predictions) as receiver:
        begun = time.time()
        with Worker(place, config) as worker:
            worker.wait_for(lambda: worker.snapshot() > begun)
            worker.wait_for(lambda: worker.snapshot() > begun + interval / 2)
            taken = worker.snapshot()
            worker.wait_for(lambda: time.time() > taken + 0.9 * interval)
            worker.kill()
            killed = time.time()
        with Worker(place, config) as again:
            again.wait_for(again.ready)
            time.sleep(3.0 + 0.5 * interval)
        seen = receiver.received()
    fresh = min(received for _, received in seen) - begun
    first = min(received for _, received in seen if received > killed + DELIVERED)
    redone = sum(1 for _, received in seen if taken < received < killed + DELIVERED)
    caught_up = max((received for sent, received in seen if received - sent > LATE), default=first)
    return fresh, redone, first - killed, caught_up - killed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time to recover from a kill.")
    parser.add_argument(
        "--intervals", type=float, nargs="+", default=[2, 10, 30, 60], help="between snapshots, seconds"
    )
    parser.add_argument("--rate", type=float, default=4000, help="events per second")
    parser.add_argument("--client", default="confluent", choices=("kafka-python", "confluent"))
    options = parser.parse_args()
    console = Console()
    table = Table("snapshot every", title=f"Recovery after kill -9 at {options.rate:,.0f} events/s, {options.client}")
    for head in ("fresh start, s", "events done over", "kill to first new prediction, s", "to at most 1 s late, s"):
        table.add_column(head, justify="right")
    with Place() as place:
        for interval in track(options.intervals, description="recovery", console=console):
            fresh, redone, first, caught_up = recovery(place, options.client, interval, options.rate)
            table.add_row(f"{interval:g} s", f"{fresh:.1f}", f"{redone:,}", f"{first:.1f}", f"{caught_up:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
