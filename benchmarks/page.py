"""What open pages cost: how fast a worker works off a backlog with some open, against the same worker with none.

    python benchmarks/page.py

One worker over a real Kafka, exactly once, by confluent, with the fastest of models, so that whatever else takes time
shows most. The page is served by the worker itself. Each page reads the live stream and asks for all that there is as
often as a browser does that has all of it in sight. In each round there are none for a while, then each number of
pages; figures are medians over the rounds, ratios within them: of the speed, and of the worker's processor time for an
event, which other programs disturb less. The processes that read share the machine.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.models import MODELS, rows
from bench.pages import Pages
from bench.place import Ends, Place
from bench.running import Worker

MODEL = "Scaler + LogisticRegression"
WARM = 5_000
"""Events before the first stretch."""


class Stretch(NamedTuple):
    """Events a second, and processor time of the worker for each, in seconds."""

    speed: float
    cost: float


def stretch(worker: Worker, ends: Ends, seconds: float) -> Stretch:
    """How it went for so long."""
    first, began, spent = ends.count(), time.perf_counter(), processor_time(worker.pid)
    time.sleep(seconds)  # the stretch itself: what the worker does meanwhile is what is measured
    worker.alive()
    events = ends.count() - first
    return Stretch(events / (time.perf_counter() - began), (processor_time(worker.pid) - spent) / max(1, events))


def processor_time(pid: int) -> float:
    """Seconds that a process has spent so far, in all its threads (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(options: argparse.Namespace) -> dict[int, list[Stretch]]:
    """The stretches with each number of pages. Raises RuntimeError when the backlog is too short for them."""
    found: dict[int, list[Stretch]] = defaultdict(list)
    with Place() as place:
        stream = place.fill(*rows(options.events))
        config = place.service(MODELS[MODEL].learner, stream, "confluent", "exactly_once")
        with Ends(place.address, config.topics.predictions, 1) as ends, Worker(place, config) as worker:
            worker.wait_for(lambda: ends.count() >= WARM)
            for _ in range(options.rounds):
                for pages in (0, *options.pages):
                    with Pages(config.http.port, pages):
                        found[pages].append(stretch(worker, ends, options.seconds))
            if ends.count() >= stream.n:
                raise RuntimeError(f"{stream.n:,} events are worked off too soon: more --events, or fewer --seconds")
            worker.stop()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What open pages cost.")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of which the median is printed")
    parser.add_argument("--pages", type=int, nargs="+", default=[1, 10], help="numbers of pages, beside none")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a stretch")
    parser.add_argument("--events", type=int, default=3_000_000, help="length of the backlog")
    options = parser.parse_args()
    if options.events <= WARM:
        parser.error(f"--events: {options.events:,} are over before the first stretch; expected more than {WARM:,}")
    found = measured(options)
    table = Table("pages open", title="A worker with pages open")
    for head in ("events/s", "of that with none", "µs of processor an event", "of that with none"):
        table.add_column(head, justify="right")
    for pages, stretches in found.items():
        pairs = list(zip(stretches, found[0], strict=True))
        table.add_row(
            f"{pages}",
            f"{median(one.speed for one in stretches):,.0f}",
            f"{median(one.speed / none.speed for one, none in pairs):.2f}x",
            f"{1e6 * median(one.cost for one in stretches):.1f}",
            f"{median(one.cost / none.cost for one, none in pairs):.2f}x",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
