"""Seasons of rows of features: of the levels of numbers, of the shares of categories, of how much is missing.

Each learns from rows what is usual at each hour, and makes of a row what it would have been at an average hour.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple, TypeAlias

from detectors.base import Row, Value
from detectors.data.categories import category
from detectors.data.numbers import number
from detectors.seasons import PRIOR, Rounds, Season, SeasonConfig

_MOST: Final = 1000
"""Categories of a feature whose shares are learnt, the first that come. All others stay as they are."""
_ROUNDING: Final = 1e-9
_THERE: Final = "there"
"""In the place of a value, where it matters only that there is one."""


class LevelsOfRows(Season):
    """Of numbers. What is none stays missing."""

    def __init__(self, config: SeasonConfig, features: Sequence[str]) -> None:
        super().__init__(config, len(features))
        self._features = features

    def learn_row(self, row: Row, time: float) -> None:
        """Take a row for what is usual."""
        for stream, name in enumerate(self._features):
            self.learn(stream, number(row.get(name)), time)

    def adjusted_row(self, row: Row, time: float) -> dict[str, Value]:
        """What a detector looks at of a row, less the season."""
        shifts = zip(self._features, self.shifts(time), strict=True)
        return {name: number(row.get(name)) + shift for name, shift in shifts}


class _Moves(NamedTuple):
    """At an hour: which categories give way, with which probability, and to which others, by cumulative weight."""

    leaving: dict[Value, float]
    to: list[Value]
    weights: list[float]


class _Shares(Rounds, ABC):
    """The usual shares of categories at each hour, and categories adjusted to them.

    A category that is commoner at its hour than overall gives way to one that is rarer there, with the probability that
    takes the surplus away; to each of these by what it lacks. So independent categories, with the shares of their hour,
    become independent ones with the overall shares, as few as possible being changed (a maximal coupling; Lindvall,
    "Lectures on the Coupling Method", 1992), and what a detector guarantees for such holds. Chance is seeded: the same
    stream gives the same categories. An hour of which there were few is drawn to the overall shares.

    Memory is one number per feature, hour and category; of these the first `_MOST` count.
    """

    def __init__(self, config: SeasonConfig, features: Sequence[str]) -> None:
        super().__init__(config)
        self._features = features
        self.reset()

    def reset(self) -> None:
        """Forget the shares, as if newly made."""
        super().reset()
        self._counts: list[list[Counter[Value]]] = [[Counter() for _ in range(self.hours)] for _ in self._features]
        self._overall: list[Counter[Value]] = [Counter() for _ in self._features]
        self._moves: list[list[_Moves]] = []
        self._random = Random(0)

    def learn_row(self, row: Row, time: float) -> None:
        """Take a row for what is usual."""
        hour = self.hour(time)
        for counts, overall, name in zip(self._counts, self._overall, self._features, strict=True):
            value = self._category(row.get(name))
            if value is not None and (value in overall or len(overall) < _MOST):
                overall[value] += 1
                counts[hour][value] += 1

    def adjusted_row(self, row: Row, time: float) -> dict[str, Value]:
        """What a detector looks at of a row, less the season."""
        hour = self.settled_hour(time)
        return {
            name: self._value(self._adjusted(moves[hour], self._category(row.get(name))))
            for moves, name in zip(self._moves, self._features, strict=True)
        }

    def _adjusted(self, moves: _Moves, value: Value) -> Value:
        chance = moves.leaving.get(value)
        if chance is None or self._random.random() >= chance:
            return value
        return self._random.choices(moves.to, cum_weights=moves.weights)[0]

    def _settle(self) -> None:
        self._moves = [
            [_moves(one, overall) for one in counts]
            for counts, overall in zip(self._counts, self._overall, strict=True)
        ]
        self._counts, self._overall = [], []

    @abstractmethod
    def _category(self, value: Value) -> Value:
        """What of a value goes round; None stays as it is."""

    @abstractmethod
    def _value(self, value: Value) -> Value:
        """What the detector is given for that."""


class SharesOfRows(_Shares):
    """Of categories. What is missing stays so, and a category that was never met while shares were learnt, too."""

    def _category(self, value: Value) -> Value:
        return category(value)

    def _value(self, value: Value) -> Value:
        return value


class GapsOfRows(_Shares):
    """Of how often a value is missing: all that the detector is told of one is whether it is there."""

    def _category(self, value: Value) -> Value:
        return category(value) is not None

    def _value(self, value: Value) -> Value:
        return _THERE if value else None


RowSeason: TypeAlias = LevelsOfRows | SharesOfRows | GapsOfRows

ROW_SEASONS: Final[dict[str, type[RowSeason]]] = {
    "levels": LevelsOfRows,
    "shares": SharesOfRows,
    "gaps": GapsOfRows,
}
"""By what it is of a detector's features that goes round."""


def _moves(counts: Counter[Value], overall: Counter[Value]) -> _Moves:
    """What makes of the shares of an hour those of all."""
    n, total = counts.total(), overall.total()
    shares = {value: count / total for value, count in overall.items()}
    usual = {value: (counts[value] + PRIOR * share) / (n + PRIOR) for value, share in shares.items()}
    leaving = {
        value: 1.0 - share / usual[value] for value, share in shares.items() if usual[value] > share * (1 + _ROUNDING)
    }
    lacking = {value: share - usual[value] for value, share in shares.items() if usual[value] < share}
    if not leaving or not lacking:
        return _Moves({}, [], [])
    return _Moves(leaving, list(lacking), list(accumulate(lacking.values())))
