"""Decisions by what they cost.

Given calibrated probabilities and the costs of mistakes, the decision of least expected cost needs no tuning: of two
classes, true from the probability on at which both choices cost the same, which is false alarm / (false alarm + miss)
where being right costs nothing (Elkan, "The foundations of cost-sensitive learning", 2001).
"""

from __future__ import annotations

import math
from collections.abc import Mapping


class CostMatrix:
    """What it costs to say one class where another is true: 1 for a mistake, 0 for what is right, if not given."""

    def __init__(self, costs: Mapping[str, Mapping[str, float]]) -> None:
        self._costs = {truth: dict(row) for truth, row in costs.items()}

    def of(self, truth: str, said: str) -> float:
        """The cost of saying a class where another, or the same, is true."""
        return self._costs.get(truth, {}).get(said, 0.0 if said == truth else 1.0)

    @property
    def threshold(self) -> float:
        """P(true) from which saying true costs less on average than saying false."""
        alarm = self.of("false", "true") - self.of("false", "false")
        miss = self.of("true", "false") - self.of("true", "true")
        return alarm / (alarm + miss)

    def cheapest(self, output: Mapping[str, float]) -> str | None:
        """The class that costs least on average to say; None where nothing is known yet."""

        def expected(said: str) -> float:
            return math.fsum(p * self.of(truth, said) for truth, p in output.items())

        return min(output, key=expected) if output else None
