"""What a rolling reference costs the KS detector: in false alarms, and in time.

    python benchmarks/references.py                    # four minutes
    python benchmarks/references.py --values 5_000_000

Features of standard normal values that never change are watched by `ks` with a run length, by a reference that stays
and by ones that move. Told are the values that passed on average per false alarm, after each of which the feature
learns a new reference; how evenly alarms are spread over the 20 features (their variance by their mean: 1 is chance);
and the time of one thread, without the making of rows.
"""

from __future__ import annotations

import argparse
import time
from statistics import fmean, pvariance
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from detectors.base import State
from detectors.data.ks import KolmogorovSmirnov, KsConfig
from detectors.data.rolling import RollingConfig

FEATURES = [f"f{n}" for n in range(20)]
SPAN = 1000
REFERENCES = {"stays": None, "rolling": RollingConfig(), "rolling, gap 0": RollingConfig(gap=0)}


class Measured(NamedTuple):
    """False alarms by feature, and microseconds per value."""

    alarms: list[int]
    cost: float


def measure(rolling: RollingConfig | None, run_length: float, values: int) -> Measured:
    """Watch so many values in all, by the same seed for all references."""
    config = KsConfig(reference=1000, window=500, every=50, run_length=run_length, min_effect=0.0, rolling=rolling)
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
    return Measured(list(alarms.values()), seconds * 1e6 / (spans * SPAN * len(FEATURES)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=20_000_000, help="values watched in each case")
    options = parser.parse_args()
    console = Console()
    table = Table(title="ks, reference 1,000, window 500, every 50", caption=f"{options.values:,} values each, seed 1")
    for head in ("reference", "run length", "values per false alarm", "alarms", "evenness", "us per value"):
        table.add_column(head, justify="right")
    cases = [(run_length, name) for run_length in (20_000.0, 100_000.0) for name in REFERENCES]
    for run_length, name in track(cases, description="references", console=console):
        alarms, cost = measure(REFERENCES[name], run_length, options.values)
        table.add_row(
            *(name, f"{run_length:,.0f}", f"{options.values / max(1, sum(alarms)):,.0f}", f"{sum(alarms)}"),
            *(f"{pvariance(alarms) / max(fmean(alarms), 1e-9):.1f}", f"{cost:.2f}"),
        )
    console.print(table)


if __name__ == "__main__":
    main()
