"""Find how often the means of blocks alarm by chance (`detectors.block_means`), and hold what is asked against it.

    python scripts/calibrate_blocks.py fit      # blocks per false rise by threshold, and the power law (5 minutes)
    python scripts/calibrate_blocks.py check    # asked against simulated run lengths (5 minutes)

Block means are independent and normal. Where blocks vary by no more than their values do, the least spread that they
are taken to have has a say; the second column is without. What is simulated is what the detectors have, with
their rests after an alarm. Seeds are fixed.
"""

from __future__ import annotations

import math
import random
from statistics import fmean, linear_regression

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from detectors.block_means import Block, BlockMeans

THRESHOLDS = (10, 30, 100, 300, 1_000, 3_000)
ASKED = (30, 100, 300, 1_000, 3_000)
ALARMS = 400
"""False alarms in a simulation, about."""
SIZE = 100
WITHIN = (float(SIZE), 0.0)
"""Variances of values within blocks whose means have one of 1."""

app = typer.Typer(help=__doc__, add_completion=False)


class _Fixed(BlockMeans):
    """Means of blocks with a threshold that is given in the place of the run length."""

    def _threshold(self, run_length: float) -> float:
        return run_length


def simulated(means: BlockMeans, run_length: float, blocks: int, within: float) -> float:
    """Blocks per false rise."""
    rng, rises = random.Random(blocks), 0
    for _ in range(blocks):
        verdict = means.take(Block(SIZE, rng.gauss(0.0, 1.0), within), run_length)
        rises += verdict is not None and verdict.certain and verdict.up
    return blocks / max(1, rises)


@app.command()
def fit() -> None:
    """Print blocks per false rise by threshold, and the line through their logarithms."""
    table = Table("threshold", "blocks per false rise", "with the least spread")
    points = []
    for threshold in track(THRESHOLDS, transient=True):
        blocks = round(ALARMS * 8 * threshold**0.8)
        found = [simulated(_Fixed(warmup=7), threshold, blocks, within) for within in WITHIN]
        points.append((math.log(threshold), math.log(fmean(found))))
        table.add_row(f"{threshold:,}", f"{found[1]:,.0f}", f"{found[0]:,.0f}")
    power, logarithm = linear_regression(*zip(*points, strict=True))
    console = Console()
    console.print(table)
    console.print(f"blocks = {math.exp(logarithm):.2f} x threshold ^ {power:.3f}")


@app.command()
def check() -> None:
    """Print asked against simulated run lengths, of rises, by the blocks from which is learnt."""
    table = Table("asked, in blocks", *(f"simulated over asked, warmup {warmup}" for warmup in (5, 7, 28)))
    for asked in track(ASKED, transient=True):
        found = [
            simulated(BlockMeans(warmup), asked * SIZE, round(ALARMS * asked), WITHIN[0]) / asked
            for warmup in (5, 7, 28)
        ]
        table.add_row(f"{asked:,}", *(f"{ratio:.2f}" for ratio in found))
    Console().print(table)


if __name__ == "__main__":
    app()
