"""Linear regression that no row can throw off: River's, with the step of each row limited by the row's own size.

Plain gradient descent diverges once learning rate times squared length of the row exceeds one. The normalised step
(Nagumo and Noda, "A learning method for system identification", IEEE Transactions on Automatic Control 12, 1967), which
corrects a fixed share of the row's own error, is used for rows so large; all others learn as River has it.
"""

from __future__ import annotations

from operator import mul
from typing import Any

from river import linear_model, optim

MOST = 0.2
"""Share of its own error that one row may correct: an outlier takes back no more than this of what was learned."""


class SteadyLinearRegression(linear_model.LinearRegression):
    """River's linear regression with a bounded step: a row corrects at most `MOST` of its own error."""

    def __init__(self, learning_rate: float = 0.01, l2: float = 0.0) -> None:
        super().__init__(optimizer=optim.SGD(learning_rate), l2=l2, intercept_lr=learning_rate)
        self.learning_rate = learning_rate

    def learn_one(self, x: dict[Any, Any], y: float, w: float = 1.0) -> None:
        """Learn one row with weight `w`, less where the row is large."""
        values = x.values()
        length = 1.0 + sum(map(mul, values, values))
        super().learn_one(x, y, min(w, MOST / (2.0 * self.learning_rate * length)))


class LeafRegression(SteadyLinearRegression):
    """For the leaves of regression trees: looks at numbers, which are floats, not at categories, which are ints."""

    def learn_one(self, x: dict[Any, Any], y: float, w: float = 1.0) -> None:
        """Learn one row with weight `w`."""
        super().learn_one(_numbers(x), y, w)

    def predict_one(self, x: dict[Any, Any]) -> float:
        """The prediction for one row."""
        return float(super().predict_one(_numbers(x)))  # type: ignore[no-untyped-call]


def _numbers(x: dict[Any, Any]) -> dict[Any, float]:
    return {name: value for name, value in x.items() if value.__class__ is float}
