"""Contests of a champion with others, of which it is known what each makes of an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from learners.base import Learner
from stream.core.adaptation import CHECK_EVERY, Adaptation
from stream.core.contestants import Contestant, Win
from stream.core.lifecycle import Stage
from stream.core.pending import Joined, Waiting
from stream.core.problem import BinaryJudge
from stream.core.state import TaskState
from stream.testing import small_config

LIMIT = 40
"""Decisions within which whatever is tested must have happened."""


def champion() -> Learner[Any]:
    return TaskState(small_config()).champion


def adaptation(**settings: Any) -> Adaptation:
    config = small_config({"adaptation": {"min_labels": 30, "margin": 0.0, **settings}})
    return Adaptation(config, champion(), BinaryJudge(0.5, absolute=False))


def joined(
    under_test: Adaptation,
    n: int,
    *,
    first: int = 0,
    champion: float = 0.4,
    rivals: float | Callable[[Contestant], float] = 0.6,
) -> Joined:
    """`n` events that were true, from offset `first` on, with what champion and contestants made of them."""
    said = rivals if callable(rivals) else lambda _: rivals
    made = {one.number: said(one) for one in under_test.contestants}
    waiting = [Waiting({"x": 1.0}, 1, float(at), at, (champion,), dict(made)) for at in range(first, first + n)]
    return Joined(waiting, [True] * n, [w.timestamp for w in waiting], [w.offset for w in waiting])


def until_won(under_test: Adaptation, *, first: int = 1000, **of: Any) -> Win:
    """Labels until one has won."""
    for at in range(LIMIT):
        won = under_test.step(joined(under_test, CHECK_EVERY, first=first + at * CHECK_EVERY, **of))
        if won is not None:
            return won
    raise AssertionError("nobody has won")


def swap_to_proposed(under_test: Adaptation, before: Learner[Any], version: int = 1) -> Contestant:
    """Grant what is asked for; the contestant that is champion now."""
    best = under_test.proposed
    assert best is not None
    under_test.swapped(before, version, best.learner, best.reason, 5000)
    return best


def stages(under_test: Adaptation) -> Mapping[str, Stage]:
    return {one.origin: one.stage for one in under_test.contestants}


def some(under_test: Adaptation, labels: int, *, first: int, **of: Any) -> None:
    """So many labels, in parts that end where decisions fall, of which none lets anybody win."""
    for at in range(first, first + labels, CHECK_EVERY):
        assert under_test.step(joined(under_test, CHECK_EVERY, first=at, **of)) is None


WON: dict[str, Any] = {"champion": 0.1, "rivals": 0.9}
"""What contestants win with."""
LOST: dict[str, Any] = {"champion": 0.9, "rivals": 0.1}
"""And lose."""
