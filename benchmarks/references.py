"""What a rolling reference costs the KS detector: in thresholds and time, and whether its run length holds.

    python benchmarks/references.py                    # four minutes
    python benchmarks/references.py --values 5_000_000

Features of standard normal values that never change are watched by `ks` with a run length, by a reference that stays
and by ones that move. Told are the threshold; the values that passed on average per false alarm, after each of which
the feature learns a new reference; how evenly alarms are spread over the 20 features (their variance by their mean: 1
is chance); and the time of one thread, without the making of rows. Those "as if it stayed" have the threshold that is
right for a reference that stays.
"""

from __future__ import annotations

import argparse
import math
import time
from statistics import fmean, pvariance
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from detectors.base import State
from detectors.calibration.ks import threshold
from detectors.data.ks import KolmogorovSmirnov, KsConfig
from detectors.data.rolling import RollingConfig

FEATURES = [f"f{n}" for n in range(20)]
REFERENCE, WINDOW, EVERY, SPAN = 1000, 500, 50, 1000


class Case(NamedTuple):
    """A reference, and whether it has the threshold of one that stays."""

    name: str
    rolling: RollingConfig | None = None
    as_if: bool = False


CASES = [
    Case("stays"),
    Case("rolling", RollingConfig()),
    Case("rolling, gap 0", RollingConfig(gap=0)),
    Case("rolling, step 50", RollingConfig(step=50)),
    Case("rolling as if it stayed", RollingConfig(), as_if=True),
]


class Measured(NamedTuple):
    """The threshold, false alarms by feature, and microseconds per value."""

    threshold: float
    alarms: list[int]
    cost: float


def measure(case: Case, run_length: float, values: int) -> Measured:
    """Watch so many values in all, by the same seed for all references."""
    common: dict[str, Any] = {"reference": REFERENCE, "window": WINDOW, "every": EVERY, "rolling": case.rolling}
    config = KsConfig(**common, run_length=run_length, min_effect=0.0)
    if case.as_if:
        distance = threshold(REFERENCE, WINDOW, EVERY, run_length)
        config = KsConfig(**common, alpha=0.5, min_effect=distance)  # which is below that distance
    detector = KolmogorovSmirnov(config, FEATURES)
    rng = np.random.default_rng(1)
    alarms, seconds, spans = dict.fromkeys(FEATURES, 0), 0.0, values // len(FEATURES) // SPAN
    for _ in range(spans):
        drawn = rng.normal(size=(SPAN, len(FEATURES))).tolist()
        rows = [dict(zip(FEATURES, row, strict=True)) for row in drawn]
        started = time.process_time()
        signals = detector.observe(rows)
        seconds += time.process_time() - started
        for signal in signals:
            if signal.reading.state is State.DRIFT and signal.feature is not None:
                alarms[signal.feature] += 1
    told = next((reading.threshold for reading in detector.readings().values() if reading.threshold), math.nan)
    return Measured(told, list(alarms.values()), seconds * 1e6 / (spans * SPAN * len(FEATURES)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=20_000_000, help="values watched in each case")
    options = parser.parse_args()
    console = Console()
    title = f"ks, reference {REFERENCE:,}, window {WINDOW}, every {EVERY}"
    table = Table(title=title, caption=f"{options.values:,} values each, seed 1")
    for head in ("reference", "run length", "threshold", "values per alarm", "alarms", "evenness", "us per value"):
        table.add_column(head, justify="right")
    cases = [(run_length, case) for run_length in (20_000.0, 100_000.0) for case in CASES]
    for run_length, case in track(cases, description="references", console=console):
        told, alarms, cost = measure(case, run_length, options.values)
        table.add_row(
            *(case.name, f"{run_length:,.0f}", f"{told:.3f}", f"{options.values / max(1, sum(alarms)):,.0f}"),
            *(f"{sum(alarms)}", f"{pvariance(alarms) / max(fmean(alarms), 1e-9):.1f}", f"{cost:.2f}"),
        )
    console.print(table)


if __name__ == "__main__":
    main()
