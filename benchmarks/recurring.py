"""How soon a task is itself again when a world comes back that it has seen before.

    python benchmarks/recurring.py            # about 2 minutes
    python benchmarks/recurring.py --runs 3   # less

Two worlds take turns, 3,000 events each: in one an event is true where a weighted sum of its features is positive, in
the other where it is negative. Labels come with the events, errors are watched by ADWIN, and a logistic model serves;
promotions are carried out at once, by the engine itself, without a broker. A task has recovered at the first event of
the hundred whose mean loss (Brier score) is within 1.5 times that of the last 500 of the visit. Counted are labels
from the change on; the table has medians over runs, and the share of the first visit to the same world.

Without a library (`adaptation.library: 0`), with it, and with the champion left to learn by itself.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
from collections.abc import Iterator

from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from stream.config.model import Config
from stream.core.engine import Engine
from stream.records import Event, Prediction, Promote, Span, Swap
from stream.testing import small_config

FEATURES, VISIT, VISITS = 6, 3_000, 6
CALM, SPELL, NEAR = 500, 100, 1.5
POLICIES: dict[str, dict[str, object]] = {
    "keep_learning": {"policy": "keep_learning"},
    "library: 0": {"library": 0},
    "library: 3": {"library": 3},
}


def service(adaptation: dict[str, object]) -> Config:
    """A service that predicts from numbers, with labels in the events."""
    features = {f"f{index}": {"type": "number"} for index in range(FEATURES)}
    return small_config(
        {
            "events": {"features": features, "label": "label"},
            "detectors": {"concept": [{"kind": "adwin"}]},
            "adaptation": adaptation,
        }
    )


def stream(seed: int) -> Iterator[Event]:
    """The worlds in turn."""
    rng = random.Random(seed)
    weights = [rng.gauss(0.0, 1.5) for _ in range(FEATURES)]
    for index in range(VISIT * VISITS):
        values = [rng.gauss(0.0, 1.0) for _ in range(FEATURES)]
        total = sum(weight * value for weight, value in zip(weights, values, strict=True)) + rng.gauss(0.0, 0.5)
        row = {f"f{place}": value for place, value in enumerate(values)}
        label = (total > 0.0) == (index // VISIT % 2 == 0)
        yield Event(str(index), float(index), float(index), index, row, None, label)


def losses(config: Config, seed: int) -> list[float]:
    """The champion's loss on each event."""
    engine, version, found = Engine(config, 0), 1, list[float]()
    engine.command(Swap(engine.state.champion, version, "first"), 0.0)
    for event in stream(seed):
        for effect in engine.take(Span([event], [], [], event.time), event.time).effects:
            if isinstance(effect, Prediction) and effect.probabilities is not None:
                found.append((effect.probabilities["true"] - float(event.label is True)) ** 2)
            elif isinstance(effect, Promote):
                version += 1
                engine.command(Swap(effect.learner, version, effect.reason, "challenger"), event.time)
    return found


def recoveries(found: list[float]) -> list[int]:
    """Labels up to the recovery in each visit."""
    counts = []
    for first in range(0, len(found), VISIT):
        visit = found[first : first + VISIT]
        enough = NEAR * statistics.fmean(visit[-CALM:])
        starts = range(VISIT - SPELL)
        counts.append(next((at for at in starts if statistics.fmean(visit[at : at + SPELL]) <= enough), VISIT))
    return counts


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="streams, each with other weights")
    options = parser.parse_args()
    console = Console(width=None if os.isatty(1) else 120)
    table = Table(
        Column("", no_wrap=True),
        *(f"visit {visit + 1}" for visit in range(VISITS)),
        "of the first",
        title="labels to recovery",
    )
    for name, adaptation in POLICIES.items():
        config = service(adaptation)
        seeds = track(range(options.runs), name, console=console, transient=True)
        runs = [recoveries(losses(config, seed)) for seed in seeds]
        visits = [statistics.median(visit) for visit in zip(*runs, strict=True)]
        shares = [run[later] / max(1, run[later % 2]) for run in runs for later in range(2, VISITS)]
        table.add_row(name, *(f"{labels:,.0f}" for labels in visits), f"{statistics.median(shares):.0%}")
    console.print(table)


if __name__ == "__main__":
    main()
