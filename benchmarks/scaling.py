"""Two workers against one, on a topic of two partitions: what a second core brings, and what binds.

    python benchmarks/scaling.py                        # a few minutes
    python benchmarks/scaling.py --client confluent --model ARF

Workers wait for the backlog, which is produced at once. The broker runs on the same machine: beside the speeds stand
the cores that workers and broker kept busy meanwhile. Figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.models import MODELS, WARM, Model, rows
from bench.place import Ends, Place, backlog
from bench.running import Worker

PARTITIONS = 2


class Figures(NamedTuple):
    """Events per second of all workers together, and cores busy; 0 where the system does not tell."""

    speed: float
    workers: float
    broker: float


def measure(place: Place, model: Model, client: str, delivery: str, events: int, workers: int) -> Figures:
    """Work off a backlog with so many workers."""
    stream = place.fill([], [], partitions=PARTITIONS)
    config = place.service(model.learner, stream, client, delivery)
    records = list(backlog(*rows(events), stream.events, stream.labels, partitions=PARTITIONS))
    with ExitStack() as stack:
        started = [stack.enter_context(Worker(place, place.another(config))) for _ in range(workers)]
        ends = stack.enter_context(Ends(place.address, config.topics.predictions, PARTITIONS))
        for worker in started:
            worker.wait_for(worker.ready)
        place.produce(records)
        one, pids = started[0], [*(worker.pid for worker in started), place.broker_pid]
        began = one.wait_for(lambda: ends.count() >= WARM * events, 600)
        first, before = ends.count(), list(map(cpu, pids))
        took = one.wait_for(lambda: ends.count() >= events, 600) - began
        *theirs, brokers = (after - since for after, since in zip(map(cpu, pids), before, strict=True))
        for worker in started:
            worker.stop()
    return Figures((events - first) / took, sum(theirs) / took, brokers / took)


def cpu(pid: int | None) -> float:
    """Seconds of CPU that a process has used; 0 on a system that does not tell."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Two workers against one.")
    parser.add_argument("--client", default="kafka-python", choices=("kafka-python", "confluent"))
    parser.add_argument("--delivery", default="exactly_once", choices=("exactly_once", "at_least_once"))
    parser.add_argument("--model", action="append", help="only models whose name holds this; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    console = Console()
    table = Table(
        "model", title=f"Two workers against one, {options.client}, {options.delivery}, {os.cpu_count()} cores"
    )
    for head in ("workers", "events/s", "of one worker", "cores: workers", "broker"):
        table.add_column(head, justify="right")
    names = [name for name in MODELS if not options.model or any(part in name for part in options.model)]
    with Place() as place:
        for name in names:
            model = MODELS[name]
            events = min(model.events, 60_000)
            rounds = [
                [measure(place, model, options.client, options.delivery, events, n) for n in (1, 2)]
                for _ in track(range(options.rounds), description=name, console=console)
            ]
            for n, ratio in ((1, 1.0), (2, median(two.speed / one.speed for one, two in rounds))):
                mine = [figures[n - 1] for figures in rounds]
                middle = [median(column) for column in zip(*mine, strict=True)]
                table.add_row(
                    name, str(n), f"{middle[0]:,.0f}", f"{ratio:.2f}x", f"{middle[1]:.2f}", f"{middle[2]:.2f}"
                )
    console.print(table)


if __name__ == "__main__":
    main()
