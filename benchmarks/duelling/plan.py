"""The cases, in the order of the tables."""

from __future__ import annotations

from duelling.cases import Case, Change, Drawn
from duelling.laws import Absolute, Brier, FarOff, Law, Trap
from duelling.learned import Learned

_LONG = 10_000
"""Labels after which nobody waits for a challenger any more."""


def _stays(name: str, law: Law) -> Case:
    return Drawn(name, _LONG, 0, law, law, Change())


def _changes(name: str, change: Change, better: float, delay: int = 0) -> Case:
    """Worse at first, then better, by the same share of the losses."""
    return Drawn(name, _LONG, delay, Brier(-better), Brier(better), change)


GROUPS: dict[str, list[Case]] = {
    "laws that stay as they are": [
        _stays("equal", Brier(0.0)),
        _stays("1% worse", Brier(-0.01)),
        _stays("5% worse", Brier(-0.05)),
        _stays("5% better but on 1 event in 50, worse in all", Trap(0.05)),
        _stays("2% better", Brier(0.02)),
        _stays("5% better", Brier(0.05)),
        _stays("10% better", Brier(0.1)),
        _stays("30% better", Brier(0.3)),
        _stays("regression, equal", Absolute(0.0)),
        _stays("regression, 5% better", Absolute(0.05)),
        _stays("regression, 20% better", Absolute(0.2)),
    ],
    "laws that change: 20% worse, then 20% better": [
        _changes("abrupt at 500", Change("abrupt", 500), 0.2),
        _changes("abrupt at 5,000", Change("abrupt", 5_000), 0.2),
        _changes("gradual over 4,000", Change("gradual", 4_000), 0.2),
        _changes("recurring, turns of 2,000", Change("recurring", 2_000), 0.2),
        _changes("recurring, labels 500 late", Change("recurring", 2_000), 0.2, delay=500),
    ],
    "logistic regressions that learn on": [
        Learned("false alarm, fresh challenger", 2_000, 0, Change()),
        Learned("false alarm, one that learns too fast", 2_000, 0, Change(), rate=0.05),
        Learned("abrupt, fresh", 3_000, 0, Change("abrupt", 0)),
        Learned("abrupt, fresh, labels 500 late", 3_000, 500, Change("abrupt", 0)),
        Learned("gradual over 1,500, fresh", 2_500, 0, Change("gradual", 1_500)),
        Learned("recurring, turns of 1,000, fresh", 2_500, 0, Change("recurring", 1_000)),
    ],
    "what no gate can know": [
        _changes("turns of 1,000, labels 500 late", Change("recurring", 1_000), 0.2, delay=500),
        _changes("turns of 1,000, 5% worse / better", Change("recurring", 1_000), 0.05),
        _stays("regression, 10% better but on 1 event in 100", FarOff(0.1)),
    ],
}
