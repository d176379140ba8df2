"""Hold the run lengths that the data detectors promise against simulation, and tell what they cost in delay.

    python scripts/calibrate_windows.py check            # asked against simulated run lengths (twelve minutes)
    python scripts/calibrate_windows.py check --small    # the same with a tenth of the values
    python scripts/calibrate_windows.py delays           # events until a move of the mean is found (half a minute)

KS has a script of its own, `scripts/calibrate_ks.py`. Each part is kept in build/calibrate_windows.json as soon as it
is done, so that a run that was stopped goes on where it was; `--anew` forgets what is there. Seeds are fixed: the same
parts come out whatever was done before.

What is simulated is the detector itself, by its configuration; rows reach it as arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import typer
from kept import Anew, Kept
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import track
from rich.table import Table

from detectors.base import State
from detectors.data.multivariate import Multivariate
from detectors.registry import DATA, DataConfig

KEPT = Path("build/calibrate_windows.json")
AT_ONCE = 2000
"""Rows drawn together."""

Values: TypeAlias = npt.NDArray[Any]
Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, int]], Values]


def correlated(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Normal values with a correlation of 0.3 each with each."""
    return math.sqrt(0.3) * rng.normal(size=(shape[0], 1)) + math.sqrt(0.7) * rng.normal(size=shape)


DRAWS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "correlated": correlated,
    "lognormal": lambda rng, shape: np.exp(rng.normal(size=shape)),
    "t3": lambda rng, shape: rng.standard_t(3, size=shape),
    "Poisson(3)": lambda rng, shape: rng.poisson(3, size=shape).astype(np.float64),
    "2% ones": lambda rng, shape: rng.random(shape) < 0.02,
    "20% ones": lambda rng, shape: rng.random(shape) < 0.2,
    "ten even": lambda rng, shape: rng.integers(10, size=shape).astype(np.float64),
    "five uneven": lambda rng, shape: rng.choice(5, size=shape, p=(0.4, 0.25, 0.2, 0.1, 0.05)).astype(np.float64),
    "names": lambda rng, shape: np.minimum(rng.zipf(1.6, size=shape), 10_000).astype(np.float64),
    "three kinds": lambda rng, shape: rng.choice(np.array((1, 3, 2)), size=shape, p=(0.9, 0.098, 0.002)),
}


class Case(NamedTuple):
    """What is simulated: the detector, what values look like, sizes, the run length asked for, and for how many times
    as long.
    """

    kind: str
    draw: str
    reference: int
    window: int
    every: int
    run_length: int
    times: float
    features: int


CASES = (
    Case("psi", "normal", 1000, 500, 50, 20_000, 10, 60),
    Case("psi", "normal", 1000, 500, 1, 10_000, 1, 200),
    Case("psi", "normal", 200, 100, 10, 100_000, 1, 200),
    Case("psi", "normal", 1000, 100, 10, 100_000, 1, 200),
    Case("psi", "normal", 200, 400, 40, 20_000, 1, 300),
    Case("psi", "normal", 200, 100, 100, 1_000_000, 1, 100),
    Case("psi", "normal", 1000, 500, 100, 1_000_000, 1, 100),
    Case("psi", "Poisson(3)", 200, 100, 10, 100_000, 1, 100),
    Case("jensen_shannon", "normal", 1000, 500, 50, 20_000, 10, 60),
    Case("jensen_shannon", "normal", 200, 100, 10, 100_000, 1, 200),
    Case("jensen_shannon", "normal", 1000, 500, 100, 1_000_000, 1, 100),
    Case("jensen_shannon", "Poisson(3)", 200, 100, 10, 100_000, 1, 100),
    Case("wasserstein", "normal", 200, 100, 10, 10_000, 10, 40),
    Case("wasserstein", "normal", 1000, 500, 100, 100_000, 1, 100),
    Case("wasserstein", "normal", 200, 100, 50, 1_000_000, 1, 60),
    Case("wasserstein", "lognormal", 200, 100, 10, 10_000, 10, 20),
    Case("wasserstein", "t3", 200, 100, 10, 10_000, 10, 20),
    Case("wasserstein", "Poisson(3)", 200, 100, 10, 10_000, 10, 20),
    Case("chi_squared", "ten even", 200, 100, 10, 10_000, 5, 20),
    Case("chi_squared", "ten even", 1000, 500, 100, 100_000, 1, 60),
    Case("chi_squared", "five uneven", 200, 100, 50, 100_000, 1, 60),
    Case("chi_squared", "names", 200, 100, 50, 10_000, 5, 40),
    Case("multivariate", "correlated", 200, 100, 10, 10_000, 100, 5),
    Case("multivariate", "correlated", 1000, 500, 50, 20_000, 100, 5),
    Case("multivariate", "correlated", 1000, 500, 50, 100_000, 40, 20),
    Case("multivariate", "correlated", 1000, 100, 100, 1_000_000, 10, 5),
    Case("multivariate", "lognormal", 1000, 500, 50, 20_000, 100, 3),
    Case("multivariate", "Poisson(3)", 1000, 500, 50, 20_000, 100, 3),
    Case("missing_rate", "2% ones", 200, 100, 10, 10_000, 10, 100),
    Case("missing_rate", "20% ones", 200, 100, 10, 10_000, 10, 100),
    Case("missing_rate", "20% ones", 1000, 500, 100, 100_000, 1, 200),
    Case("value_range", "normal", 200, 100, 10, 10_000, 10, 100),
    Case("value_range", "t3", 1000, 500, 100, 100_000, 1, 100),
    Case("new_category", "names", 200, 100, 10, 10_000, 10, 40),
    Case("schema", "three kinds", 200, 100, 10, 10_000, 10, 100),
)

DELAYS = ("ks", "wasserstein", "psi", "jensen_shannon", "conformal")
MOVES = (0.25, 0.5, 1.0)
FEATURES, BEFORE, AFTER = 100, 2000, 4000
"""Of which delays are means, values before the move, and values in which it has to be found."""


def columns(block: Sequence[Any]) -> tuple[Values, Values]:
    """What detectors on features make of a block of rows, here of arrays."""
    values = np.array(block).T.copy()
    return values, np.ones(values.shape, dtype=np.bool_)


def whole(block: Sequence[Any]) -> Values:
    """What `multivariate` makes of it."""
    return columns(block)[0].astype(np.float64)


def configured(kind: str, **options: Any) -> Any:
    """The configuration of a detector whose alarms are those of chance alone."""
    adapter: TypeAdapter[Any] = TypeAdapter(DataConfig)
    return adapter.validate_python({"kind": kind, "min_effect": 0.0, **options})


def simulate(case: Case) -> list[int]:
    """Alarms, and the values watched: all but those that make up references and first windows."""
    values = round(case.run_length * case.times)
    sizes = {"reference": case.reference, "window": case.window, "every": case.every}
    config = configured(case.kind, **sizes, run_length=case.run_length, horizon=values)
    detector: Any = DATA[case.kind](config, [f"f{index}" for index in range(case.features)])
    together = isinstance(detector, Multivariate)
    detector._columns = whole if together else columns
    rng = np.random.default_rng([sum(part.encode()) for part in case[:2]] + [round(10 * part) for part in case[2:]])
    alarms = rows = 0
    filling = case.reference + case.window
    while rows < values + filling:
        signals = detector.observe(DRAWS[case.draw](rng, (AT_ONCE, case.features)))
        alarms += sum(signal.reading.state is State.DRIFT for signal in signals)
        rows += AT_ONCE
    streams = 1 if together else case.features
    return [alarms, rows * streams - (alarms + streams) * filling]


def check(kept: Kept, small: bool) -> Table:
    """Asked and simulated run lengths, each with the standard error of the simulation."""
    table = Table(title="run lengths of the data detectors, in values of a feature")
    for name in ("detector", "values are", "reference", "window", "every", "features", "asked", "over", "alarms"):
        table.add_column(name, justify="right")
    table.add_column("simulated / asked", justify="right")
    cases = [case._replace(times=case.times / 10) for case in CASES] if small else CASES
    for case in track(cases, "cases"):
        alarms, values = kept.get("check", case, partial(simulate, case))
        ratio = values / max(alarms, 1) / case.run_length
        table.add_row(
            case.kind,
            case.draw,
            *(f"{size:,}" for size in case[2:5]),
            f"{case.features}",
            f"{case.run_length:,}",
            f"{case.run_length * case.times:,.0f}",
            f"{alarms}",
            f"{ratio:.2f} +- {ratio / math.sqrt(max(alarms, 1)):.2f}" if alarms else f"> {ratio:.1f}",
        )
    return table


def delay(kind: str, move: float, run_length: int) -> list[float]:
    """Values from a move of the mean, in deviations, to the alarm: the mean and the largest tenth of those found, and
    the share of features in which it was not.
    """
    sizes = {} if kind == "conformal" else {"window": 500, "min_effect": 0.0}
    adapter: TypeAdapter[Any] = TypeAdapter(DataConfig)
    config = adapter.validate_python({"kind": kind, "reference": 1000, "every": 10, "run_length": run_length, **sizes})
    names = [f"f{index}" for index in range(FEATURES)]
    values = np.random.default_rng([7, round(100 * move)]).normal(size=(BEFORE + AFTER, FEATURES))
    values[BEFORE:] += move
    signals = DATA[kind](config, names).observe([dict(zip(names, row, strict=True)) for row in values.tolist()])
    first: dict[str | None, int] = {}
    for signal in signals:
        if signal.reading.state is State.DRIFT:
            first.setdefault(signal.feature, signal.index + 1 - BEFORE)
    found = [after for after in first.values() if after > 0]
    watched = FEATURES - len(first) + len(found)  # the others learn another reference when the move comes
    if not found:
        return [math.nan, math.nan, 1.0]
    return [float(np.mean(found)), float(np.quantile(found, 0.9)), 1.0 - len(found) / watched]


def delays(kept: Kept) -> Table:
    """How soon a move of the mean of a normal feature is found, at the same run length."""
    run_length = 1_000_000
    table = Table(title=f"events until a move of the mean is found (a tenth takes longer; missed); run {run_length:,}")
    table.add_column("detector")
    for move in MOVES:
        table.add_column(f"{move:g} deviations", justify="right")
    for kind in track(DELAYS, "detectors"):
        found = [kept.get("delay", (kind, move, run_length), partial(delay, kind, move, run_length)) for move in MOVES]
        table.add_row(kind, *(f"{mean:,.0f} ({late:,.0f}; {missed:.0%})" for mean, late, missed in found))
    return table


def main(
    part: Annotated[Literal["check", "delays"], typer.Argument(help="what to simulate")],
    small: Annotated[bool, typer.Option(help="simulate a tenth of the values")] = False,
    anew: Anew = False,
) -> None:
    """Check the run lengths of the data detectors, or tell their delays."""
    kept = Kept(KEPT, anew)
    Console().print(check(kept, small) if part == "check" else delays(kept))


if __name__ == "__main__":
    typer.run(main)
