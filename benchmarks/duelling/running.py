"""Carries out the runs that have no result yet, several at a time, and keeps each part of them at once."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress

import learners
from bench.processes import spread
from bench.store import Store, digest
from duelling.cases import Case
from duelling.measured import Outcome, Promotion, outcome
from stream.core import duel

_PART = 25
"""Runs that one process does at a time."""


class Found(NamedTuple):
    """The oracle's bets by look, and the outcomes of all runs."""

    bets: list[float]
    outcomes: list[Outcome]


class _Part(NamedTuple):
    """Runs of a case, with the oracle's bets; or, without them, the task to find these."""

    case: Case
    bets: list[float] | None = None
    numbers: range = range(0)

    @property
    def key(self) -> str:
        """A digest of all that the result depends on."""
        told = repr((self.case, self.numbers, _code()))
        return hashlib.sha256(told.encode()).hexdigest()[:24]

    def result(self) -> dict[str, Any]:
        """Measure, as it is kept."""
        if self.bets is None:
            return {"bets": self.case.bets()}
        return {"outcomes": [outcome(self.case, self.bets, number) for number in self.numbers]}


def measured(cases: list[Case], runs: int, jobs: int, store: Store, console: Console) -> dict[Case, Found]:
    """All runs of all cases. Interrupted, it loses the parts that it is at and no others."""
    asked = {case: _Part(case) for case in cases}
    _measure("what the oracle knows", list(asked.values()), jobs, store, console)
    bets = {case: store[part.key]["bets"] for case, part in asked.items()}
    starts = range(0, runs, _PART)
    parts = [_Part(case, bets[case], range(n, min(n + _PART, runs))) for case in cases for n in starts]
    _measure("runs", parts, jobs, store, console)
    found = {case: Found(bets[case], []) for case in cases}
    for part in parts:
        found[part.case].outcomes.extend(map(_read, store[part.key]["outcomes"]))
    return found


def _read(kept: list[Any]) -> Outcome:
    promotions, oracle = kept
    return Outcome(tuple(None if found is None else Promotion(*found) for found in promotions), oracle)


def _measure(name: str, parts: list[_Part], jobs: int, store: Store, console: Console) -> None:
    left = [part for part in parts if part.key not in store]
    with Progress(console=console) as progress:
        task = progress.add_task(name, total=len(parts), completed=len(parts) - len(left))
        for part, result in spread(_result, left, jobs):
            store.add(part.key, result)
            progress.update(task, advance=1)


def _result(part: _Part) -> tuple[_Part, dict[str, Any]]:
    return part, part.result()


@cache
def _code() -> tuple[str, ...]:
    """A digest of the code that measures and is measured, and the versions of libraries."""
    here = [Path(__file__).with_name(f"{name}.py") for name in ("rules", "laws", "cases", "learned", "measured")]
    taught = Path(str(learners.__file__)).parent.glob("*.py")
    return (digest([*here, *taught, Path(duel.__file__)]), *(version(name) for name in ("numpy", "river")))
