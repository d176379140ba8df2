"""Make what the run lengths of concept detectors rest on, and hold what they promise against simulation.

    python scripts/calibrate_errors.py table            # writes detectors/calibration/errors.json (three minutes)
    python scripts/calibrate_errors.py check            # stated against simulated run lengths (twenty minutes)
    python scripts/calibrate_errors.py check --small    # the same with a tenth of the errors (two minutes)
    python scripts/calibrate_errors.py delays           # delays against the least possible (four minutes)

Detectors are simulated as they are, on independent errors. Each result is kept in build/calibrate_errors.json as soon
as it is there, so that a run that was stopped goes on where it was; `--anew` forgets what is there. Seeds are fixed.

How far Page-Hinkley's sum climbs is worked out, not simulated: it is an Ornstein-Uhlenbeck process, whose time until it
is so far above its lowest point is an integral over that point (Lehoczky, "Formulas for stopped diffusion processes
with stopping times based on the maximum", Annals of Probability 5, 1977).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import typer
from kept import Anew, Kept
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import track
from rich.table import Table

from detectors.base import ConceptDetector, State
from detectors.calibration import errors
from detectors.registry import ConceptConfig, build_concept

Floats: TypeAlias = npt.NDArray[np.float64]
Draw: TypeAlias = Callable[[np.random.Generator, int], Floats]

KEPT = Path("build/calibrate_errors.json")
SPAN = 10_000
"""Errors that are drawn and taken at once."""

DRIFTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
LOG_LENGTHS = tuple(-1.0 + 0.5 * step for step in range(40))
BEFORE = 5_000
"""Errors before a change, and at most after it."""
SKEW = 0.42
"""By how much ADWIN's errors reach further if skewed; makes run lengths of errors of all kinds equal."""
WITH_FALLS = 1.8
"""How much longer a run is as falls start the detector anew; 1.6 to 2.0 in simulations of the process."""


def rate(p: float) -> Draw:
    """0/1 errors."""
    return lambda rng, count: (rng.random(count) < p).astype(np.float64)


DRAWS: dict[str, Draw] = {
    "rate 0.02": rate(0.02),
    "rate 0.05": rate(0.05),
    "rate 0.2": rate(0.2),
    "rate 0.5": rate(0.5),
    "absolute": lambda rng, count: np.minimum(np.abs(rng.normal(0.0, 0.2, count)), 1.0),
    "normal": lambda rng, count: rng.normal(size=count),
    "exponential": lambda rng, count: rng.exponential(size=count),
}
BOUNDED = tuple(DRAWS)[:5]

E_DETECTOR = {"bound": "calibrated"}


class Case(NamedTuple):
    """What is simulated: a kind with a run length, on such errors, until so many alarms are expected."""

    kind: str
    draw: str
    run_length: float
    alarms: int = 50
    options: tuple[tuple[str, Any], ...] = ()


def cases() -> list[Case]:
    """Every kind on every kind of errors, and the longest runs of those that are for any."""
    found: list[Case] = []
    for kind, lengths in {
        "adwin": (1e4, 1e5),
        "cusum": (1e4, 1e5),
        "e_detector": (1e4, 1e5),
        "hddm_a": (1e4, 1e5),
        "hddm_w": (1e4, 1e5),
        "kswin": (1e4,),
        "page_hinkley": (1e4, 1e5),
        "rddm": (1e6,),
        "stepd": (1e4, 1e5),
    }.items():
        any_scale = kind in ("adwin", "cusum", "e_detector", "kswin", "page_hinkley")
        options = tuple(E_DETECTOR.items()) if kind == "e_detector" else ()
        for draw in DRAWS if any_scale else BOUNDED:
            found += [Case(kind, draw, length, 50 if length < 1e6 else 20, options) for length in lengths]
        if kind in ("adwin", "cusum", "e_detector", "page_hinkley"):
            found.append(Case(kind, "rate 0.2", 1e6, 20, options))
    return found


def detector(kind: str, options: dict[str, Any]) -> ConceptDetector[Any]:
    """A new one."""
    adapter: TypeAdapter[Any] = TypeAdapter(ConceptConfig)
    return build_concept(adapter.validate_python({"kind": kind, **options}))


def alarms(watch: ConceptDetector[Any], draw: str, count: float) -> int:
    """The false alarms in so many errors."""
    rng, found = np.random.default_rng([int(count), *draw.encode()]), 0
    for start in range(0, int(count), SPAN):
        signals = watch.observe(DRAWS[draw](rng, min(SPAN, int(count) - start)).tolist())
        found += sum(signal.reading.state is State.DRIFT for signal in signals)
    return found


def simulate(case: Case, share: float) -> int:
    """The false alarms of a case."""
    watch = detector(case.kind, {"run_length": case.run_length, **dict(case.options)})
    return alarms(watch, case.draw, case.run_length * case.alarms * share)


def run_length(kind: str, options: dict[str, Any], draw: str, count: float) -> float:
    """The mean run of a detector, in so many errors."""
    return count / alarms(detector(kind, options), draw, count)


def time_to_climb(drift: float, height: float) -> float:
    """The mean time until dY = -(Y + drift) dt + dW, from 0, is so far above its lowest point."""
    steps, points, lowest = 250, 600, -9.0
    low = np.linspace(drift, lowest, points)[:, np.newaxis]
    above = low + (np.arange(steps) + 0.5) / steps * height
    scale = np.exp(np.clip(above * above - low * low, -700.0, 700.0))  # of the process, relative to the lowest point's
    below = scale.cumsum(axis=1) - 0.5 * scale
    whole = scale.sum(axis=1, keepdims=True)
    stay = 2.0 * ((whole - below) / whole / scale).sum(axis=1) * height / steps
    step = (drift - lowest) / (points - 1)
    leave = 1.0 / (whole[:, 0] * height / steps)
    survive = np.exp(-np.concatenate(((0.0,), np.cumsum((leave[1:] + leave[:-1]) / 2.0 * step))))
    rates = survive * stay
    return float((rates[1:] + rates[:-1]).sum() / 2.0 * step)


def climbs(drift: float) -> list[float]:
    """The climbs that take e ^ LOG_LENGTHS."""
    heights = np.concatenate((np.linspace(0.05, 1.0, 20), np.linspace(1.2, 10.4, 47)))
    lengths = np.log([WITH_FALLS * time_to_climb(drift, height) for height in heights])
    return [round(float(height), 4) for height in np.interp(LOG_LENGTHS, lengths, heights)]


def fit_adwin() -> float:
    """The logarithm of the run length over e^C C^0.6, for the least of several kinds of errors."""
    errors.fitted("adwin")["log_length"] = 0.0
    stated, draws = 1e3, ("rate 0.05", "rate 0.2", "rate 0.5", "normal")
    lengths = [run_length("adwin", {"run_length": stated}, draw, 5e6) for draw in draws]
    return math.log(min(lengths) / stated)


def fit_hddm_a() -> list[float]:
    """Start and slope of the logarithm of the run length over that of 2 / confidence, at a rate of a half.

    Some runs are so long that they hide how often others end: detectors are new after about the run length.
    """
    points = []
    for confidence, stretch, times in ((0.03, 1_000, 300), (0.0015, 60_000, 50)):
        options = {"drift_confidence": confidence, "warning_confidence": 2.0 * confidence}
        rng, found = np.random.default_rng(stretch), 0
        for _ in range(times):
            signals = detector("hddm_a", options).observe(DRAWS["rate 0.5"](rng, stretch).tolist())
            found += sum(signal.reading.state is State.DRIFT for signal in signals)
        points.append((math.log(2.0 / confidence), math.log(stretch * times / found)))
    (x, y), (further, higher) = points
    slope = (higher - y) / (further - x)
    return [y - slope * x, slope]


def fit_factor(kind: str, draw: str, length: float, count: float) -> float:
    """The logarithm of stated over simulated run length, without such a factor."""
    errors._table()[kind] = 0.0
    return math.log(length / run_length(kind, {"run_length": length}, draw, count))


def fit_e_detector() -> float:
    """The mean run over the threshold, for the least of several kinds of errors."""
    errors._table()["e_detector"] = 1.0
    return min(run_length("e_detector", {"run_length": 4e3, **E_DETECTOR}, draw, 1e6) / 4e3 for draw in BOUNDED[1:4])


def write_table(kept: Kept) -> None:
    """Write the file that is shipped."""
    fits: dict[str, Callable[[], Any]] = {
        "adwin": fit_adwin,
        "e_detector": fit_e_detector,
        "hddm_a": fit_hddm_a,
        "hddm_w": partial(fit_factor, "hddm_w", "rate 0.5", 1e4, 1e6),
        "rddm": partial(fit_factor, "rddm", "rate 0.2", 5e5, 1e7),
        "stepd": partial(fit_factor, "stepd", "rate 0.5", 1e4, 1e6),
    }
    found = {kind: kept.get("fit", (kind,), fit) for kind, fit in track(fits.items(), "fits", total=len(fits))}
    found = {
        kind: [round(part, 3) for part in fit] if isinstance(fit, list) else round(fit, 3)
        for kind, fit in found.items()
    }
    found["adwin"] = {"log_length": found["adwin"], "skew": SKEW}
    rows = ",\n   ".join(json.dumps(climbs(drift)) for drift in track(DRIFTS, "climbs"))
    head = "".join(f' "{kind}": {json.dumps(fit)},\n' for kind, fit in found.items())
    axes = f'  "drifts": {json.dumps(DRIFTS)},\n  "log_lengths": {json.dumps(LOG_LENGTHS)},\n'
    sums = f' "page_hinkley": {{\n{axes}  "climbs": [\n   {rows}\n  ]\n }}\n'
    errors.TABLE.write_text(f"{{\n{head}{sums}}}\n", encoding="ascii")


def check(kept: Kept, small: bool) -> Table:
    """Stated and simulated run lengths, each with the standard error of the simulation."""
    table = Table(title="run lengths of concept detectors, in errors")
    for name in ("detector", "errors", "stated", "simulated / stated"):
        table.add_column(name, justify="right")
    share = 0.1 if small else 1.0
    for case in track(cases(), "cases"):
        found = kept.get("check", (*case, share), partial(simulate, case, share))
        if found:
            ratio = f"{case.alarms * share / found:.2f} +- {case.alarms * share / found / math.sqrt(found):.2f}"
        else:
            ratio = f"over {case.alarms * share:.0f}"
        table.add_row(case.kind, case.draw, f"{case.run_length:,.0f}", ratio)
    return table


def delay(kind: str, before: float, after: float, length: float, times: int) -> list[float]:
    """The mean delay, and the share of changes that were not found, after `BEFORE` errors without a change."""
    options = {"run_length": length, **(E_DETECTOR if kind == "e_detector" else {})}
    found: list[int] = []
    rng = np.random.default_rng([int(1000 * after), int(length)])
    for _ in range(times):
        watch = detector(kind, options)
        watch.observe((rng.random(BEFORE) < before).astype(np.float64).tolist())
        signals = watch.observe((rng.random(BEFORE) < after).astype(np.float64).tolist())
        found += [signal.index + 1 for signal in signals if signal.reading.state is State.DRIFT][:1]
    return [fmean(found) if found else math.inf, 1.0 - len(found) / times]


def delays(kept: Kept, small: bool) -> Table:
    """Delays at a run length, and over the least possible on average: ln(run length) / KL (Lorden, 1971)."""
    table = Table(title=f"errors until a change is found, after {BEFORE:,} without one")
    for name in ("detector", "run length", "0.2 to 0.3", "/ limit", "not found", "0.2 to 0.5", "/ limit", "not found "):
        table.add_column(name, justify="right")
    for kind in track(("e_detector", "cusum", "adwin", "page_hinkley", "hddm_w", "hddm_a", "stepd", "rddm"), "delays"):
        length = 1e6 if kind == "rddm" else 1e5
        row: list[str] = []
        for after in (0.3, 0.5):
            least = math.log(length) / (after * math.log(after / 0.2) + (1.0 - after) * math.log((1.0 - after) / 0.8))
            of = (kind, 0.2, after, length, 20 if small else 100)
            mean, missed = kept.get("delay", of, partial(delay, *of))
            row += [f"{mean:,.0f}", f"{mean / least:.2f}", f"{missed:.0%}"]
        table.add_row(kind, f"{length:,.0f}", *row)
    return table


def main(
    part: Annotated[Literal["table", "check", "delays"], typer.Argument(help="what to make, or to check")],
    small: Annotated[bool, typer.Option(help="simulate a tenth, or a fifth")] = False,
    anew: Anew = False,
) -> None:
    """Make what the run lengths of concept detectors rest on, or check it."""
    kept = Kept(KEPT, anew)
    if part == "table":
        write_table(kept)
    else:
        Console().print(check(kept, small) if part == "check" else delays(kept, small))


if __name__ == "__main__":
    typer.run(main)
