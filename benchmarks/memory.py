"""Memory: a million events through one engine, and the resident memory of the process at five points.

python benchmarks/memory.py
"""

from __future__ import annotations

import argparse
import gc
import resource
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.engines import NOW, spans
from bench.models import MODELS, configuration, rows
from stream.core.engine import Engine

DISTINCT = 10_000
POINTS = 5


def resident() -> float:
    """Resident memory of this process, in MB."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Memory of the engine over a long stream.")
    parser.add_argument("--events", type=int, default=1_000_000, help="a multiple of 50,000")
    total = parser.parse_args().events
    console = Console()
    xs, ys = rows(DISTINCT)
    engine = Engine(configuration(MODELS["Scaler + LogisticRegression"].learner), 0)
    table = Table("events", "resident memory, MB", title=f"Memory over {total:,} events (engine, logistic regression)")
    for done in track(range(0, total, DISTINCT), description="memory", console=console):
        for span in spans(xs, ys, first=done):
            engine.process(span, NOW)
        reached = done + DISTINCT
        if reached % (total // POINTS) == 0:
            gc.collect()
            table.add_row(f"{reached:,}", f"{resident():.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
