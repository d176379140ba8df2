"""Which cells there are, by the size of the run."""

from __future__ import annotations

from typing import NamedTuple

from detecting.cells import Cell, Cost, Delay, RunLength
from detecting.contenders import Contender, contenders
from detecting.streams import Change
from detectors.registry import DATA


class Size(NamedTuple):
    """How much is measured."""

    name: str
    lengths: tuple[float, ...]  # that detectors are calibrated to
    beyond: tuple[float, ...]  # the same, where measuring false alarms would take too long: only for delays
    events: int  # of stationary streams, at least
    expected: int  # false alarms of calibrated detectors, at least
    enough: int  # alarms after which a measurement ends
    runs: int  # with a change
    before: int  # events of such a run up to it
    patience: int  # events after it
    features: tuple[int, ...]
    slow: int  # those that take half a millisecond per value get one in so many events and runs


FULL = Size("full", (1e4, 1e5), (1e6,), 3_000_000, 100, 400, 100, 5_000, 20_000, (1, 20, 100), 5)
MEDIUM = Size("medium", (1e4, 1e5), (1e6,), 1_000_000, 30, 100, 100, 3_000, 10_000, (1, 20), 10)
QUICK = Size("quick", (1e4,), (1e5, 1e6), 300_000, 30, 50, 40, 3_000, 10_000, (1, 20), 8)
TINY = Size("tiny", (1e3,), (1e4,), 2_000, 2, 5, 2, 500, 500, (1,), 1)
SIZES = {size.name: size for size in (FULL, MEDIUM, QUICK, TINY)}

STATIONARY = {
    "errors": ("Bernoulli(0.2)", "wandering rate"),
    "absolute errors": ("|normal|", "|Student t3|"),
    "numbers": ("normal", "Student t3", "rounded", "AR(1) 0.9"),
    "categories": ("categories",),
}
CHANGES = {
    "errors": (
        Change("Bernoulli(0.2)", 0.1),
        Change("Bernoulli(0.2)", 0.3),
        Change("Bernoulli(0.2)", 0.1, ramp=1_000),
        Change("Bernoulli(0.2)", 0.3, ramp=1_000),
    ),
    "absolute errors": (Change("|normal|", 0.5), Change("|normal|", 0.5, ramp=1_000)),
    "numbers": (
        Change("normal", 0.25),
        Change("normal", 0.5),
        Change("normal", 1.0),
        Change("normal", 1.0, ramp=1_000),
        Change("normal, spread", 0.5),
        Change("normal, together", 0.8),
    ),
    "categories": (Change("categories", 0.1), Change("categories, new", 0.02)),
}
SLOW = {
    *(("river", "KSWIN"), ("frouros", "KSWIN"), ("scipy", "sliding ks_2samp")),
    *(("frouros", "IncrementalKSTest"), ("capymoa", "KolmogorovSmirnov")),
}
ONLY = {
    ("missing_rate", "numbers"): Change("normal, gaps", 0.1),
    ("missing_rate", "categories"): None,
    ("schema", "numbers"): Change("normal, texts", 0.05),
    ("schema", "categories"): None,
    ("new_category", "categories"): Change("categories, new", 0.02),
}
"""What is measured of detectors that are for one kind of change: a stream and a change of it. None: it is elsewhere."""

MANY = ("normal", Change("normal", 0.5))
"""What is measured with several features too. Rivals take too long there to run a hundred times into a change."""
IN_THIS_PROCESS = {"river", "scipy"}

LAW_OF_COST = {
    "errors": "Bernoulli(0.2)",
    "absolute errors": "|normal|",
    "numbers": "normal",
    "categories": "categories",
}
FEATURES_OF_COST = 20
"""Of ours, which take features together."""


def cells(size: Size) -> list[Cell]:
    """All of them, the cheapest first."""
    found: list[Cell] = []
    for watched in STATIONARY:
        for contender in contenders(watched, calibrated=size.lengths + size.beyond):
            found += _of(contender, watched, size)
    return sorted(found, key=lambda cell: cell.work)


def _of(contender: Contender, watched: str, size: Size) -> list[Cell]:
    laws, changes = STATIONARY[watched], CHANGES[watched]
    special = (contender.kind, watched) in ONLY
    if special:
        only = ONLY[contender.kind, watched]
        if only is None:
            return []
        laws, changes = (only.law,), (only,)
    together = contender.ours and contender.kind in DATA and DATA[contender.kind].together
    least = 2 if together else 1
    found: list[Cell] = []
    if contender.stated not in size.beyond:
        found += [_run_length(contender, least, law, size) for law in laws]
    found += [_delay(contender, max(least, _least_features(change)), change, size) for change in changes]
    if watched == "numbers" and not special and contender.stated in {None, size.lengths[0]}:
        law, change = MANY
        for features in size.features:
            if features > 1 and (contender.ours or contender.library in IN_THIS_PROCESS):
                found.append(_run_length(contender, features, law, size))
            if features > 1 and contender.ours:
                found.append(_delay(contender, features, change, size))
    if contender.stated is None and contender.library != "baseline":
        side_by_side = contender.ours and watched in {"numbers", "categories"}
        found.append(Cost(contender, FEATURES_OF_COST if side_by_side else 1, LAW_OF_COST[watched]))
    return found


def _run_length(contender: Contender, features: int, law: str, size: Size) -> RunLength:
    events = size.events if contender.stated is None else max(size.events, round(size.expected * contender.stated))
    return RunLength(contender, features, law, events // _part(contender, size), size.enough)


def _delay(contender: Contender, features: int, change: Change, size: Size) -> Delay:
    return Delay(contender, features, change, size.runs // _part(contender, size), size.before, size.patience)


def _part(contender: Contender, size: Size) -> int:
    return size.slow if (contender.library, contender.kind) in SLOW else 1


def _least_features(change: Change) -> int:
    return 2 if change.law == "normal, together" else 1
