"""What all data detectors share: rows are taken in blocks that end with a check, wherever spans are cut."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from detectors.base import Behind, DataDetector, Reading, Row, Signal, Value
from detectors.settings import DetectorConfig


class FeaturesConfig(DetectorConfig):
    """Common to detectors on features."""

    features: tuple[str, ...] | None = Field(
        None, min_length=1, description="features to watch; all of its type if absent"
    )

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if self.features is not None and len(set(self.features)) < len(self.features):
            raise ValueError(f"features: got {', '.join(self.features)}; each may be named once. Remove the repetition")
        return self


class BlockConfig(FeaturesConfig):
    """Common to detectors that judge after every so many events."""

    every: int = Field(100, ge=1, le=100_000, description="events between two checks")


B = TypeVar("B", bound=BlockConfig)


class BlockDetector(DataDetector[B]):
    """Keeps rows until the next check is due.

    Subclasses make what they know of features in `reset`, which their constructor calls and which calls this one first.
    """

    at_once: ClassVar[int] = 1
    """Rows that may be taken at once where the observed span holds several checks."""

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        n = len(self.features)
        self._block: list[Row] = []  # rows that wait for a check
        self._skip = [0] * n  # rows of the present block that came before the feature was rebased
        self._alarms: list[Reading | None] = [None] * n  # of the last check
        self._taken = 0  # rows of the blocks before
        self._began = [0] * n  # after how many of these each feature began anew

    @abstractmethod
    def _start(self, feature: int) -> None:
        """Make a feature what it is before its first value."""

    @abstractmethod
    def _take(self, first: int) -> list[Signal]:
        """Take the block, which ends with a check, and count its rows in `_taken`; `first` is the position of its first
        row in the observed span.
        """

    def observe(self, rows: Sequence[Row]) -> list[Signal]:
        """Take a span of rows; return a signal, with its feature, for every DRIFT and every entry into WARNING."""
        block, every = self._block, self.config.every
        if len(block) + len(rows) < every:
            block.extend(rows)
            return []
        signals: list[Signal] = []
        taken = 0
        while (left := len(block) + len(rows) - taken) >= every:
            upto = taken + max(every, min(left, self.at_once) // every * every) - len(block)
            block.extend(rows[taken:upto])
            signals += self._take(upto - len(block))
            block.clear()
            taken = upto
        block.extend(rows[taken:])
        return signals

    def _rebase(self, feature: int) -> None:
        self._start(feature)
        self._skip[feature] = len(self._block)
        self._began[feature] = self._taken + len(self._block)

    def _leave_out(self, usable: npt.NDArray[np.bool_]) -> None:
        """Let values of the block, features by rows, that came before their feature was rebased be unusable."""
        if any(self._skip):
            for feature, skipped in enumerate(self._skip):
                usable[feature, :skipped] = False
            self._skip = [0] * len(self._skip)

    def __getstate__(self) -> dict[str, Any]:
        """Of the rows that wait for the next check, only what will be looked at is kept."""
        return {**self.__dict__, "_block": looked_at(self._block, self.features)}


def stretched(reading: Reading, rows: int, values: int) -> Behind | None:
    """How many rows back the windows of a reading lie if the last so many rows had so many values, evenly spread; None
    if each had one.
    """
    return None if rows <= values else Behind.of_values(reading).moved(lambda back: round(back * rows / values))


def looked_at(rows: Sequence[Row], features: Sequence[str]) -> list[Row]:
    """What a detector on some features looks at of rows."""
    return [{name: plain(row.get(name)) for name in features} for row in rows]


def plain(value: Any) -> Value:
    """The value as a built-in number or text; None if it is neither."""
    for kind in (bool, str, int, float):
        if isinstance(value, kind):
            return value if type(value) is kind else kind(value)
    try:
        number: float = array("d", (value,))[0]  # a number of another library
    except (TypeError, ValueError, OverflowError):
        return None
    return number
