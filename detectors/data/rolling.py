"""A reference that moves on behind the window, so that what changes slowly, as seasons do, is no drift."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field


class RollingConfig(BaseModel):
    """The reference is what a feature was like a while ago, not at first: what changes slower than that is no drift.

    It is learnt from the first values all the same, and moves once there are values enough. A run length holds as it
    does without, at a higher threshold (docs/references.md).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gap: int = Field(
        5000, ge=0, le=1_000_000, description="values of a feature between the end of its reference and its window"
    )
    step: int = Field(
        500, ge=1, le=1_000_000, description="values of a feature after which its reference moves, at the next check"
    )


class Rolling:
    """The past of `n` features, as far back as their references may reach, and when these move.

    Values are numbered from 1 as they come, those of the first reference included. Memory per feature: `reference` +
    `gap` + `window` values.
    """

    def __init__(self, config: RollingConfig, n: int, reference: int, window: int) -> None:
        self._reference, self._step = reference, config.step
        self.behind = config.gap + window  # values from the end of a reference that moves to the newest
        self._rings: npt.NDArray[Any] | None = None  # of the type that values turn out to be of
        self._counts = np.zeros(n, dtype=np.int64)  # values so far
        self._due = np.zeros(n, dtype=np.int64)  # how many there are when the reference moves
        for feature in range(n):
            self.start(feature)

    def start(self, feature: int) -> None:
        """Forget the past of a feature."""
        self._counts[feature] = 0
        self._due[feature] = self._reference + self.behind + self._step

    def add(self, values: npt.NDArray[Any], usable: npt.NDArray[np.bool_]) -> None:
        """Remember the usable ones of some values, features by rows."""
        rings = self._rings_for(values)
        numbers = self._counts[:, np.newaxis] + usable.cumsum(axis=1)
        features = np.nonzero(usable)[0]
        rings[features, numbers[usable] % rings.shape[1]] = values[usable]
        self._counts = numbers[:, -1].copy()

    def add_to(self, feature: int, values: npt.NDArray[Any]) -> None:
        """Remember values of one feature."""
        rings, before = self._rings_for(values), int(self._counts[feature])
        rings[feature, np.arange(before + 1, before + 1 + len(values)) % rings.shape[1]] = values
        self._counts[feature] += len(values)

    def _rings_for(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._rings is None:
            self._rings = np.zeros((len(self._counts), self._reference + self.behind), dtype=values.dtype)
        return self._rings

    def checks(self, usable: npt.NDArray[np.bool_], every: int) -> npt.NDArray[np.int64]:
        """How many values each feature will have at the checks to come, features by checks."""
        counts: npt.NDArray[np.int64] = self._counts[:, np.newaxis] + usable.cumsum(axis=1)[:, every - 1 :: every]
        return counts

    def due(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether references must have moved once there are so many values, features by checks."""
        return counts >= self._due[:, np.newaxis]

    def move(self, feature: int, count: int) -> npt.NDArray[Any]:
        """The reference of a feature from the check on at which it will have `count` values; the next comes later."""
        self._due[feature] = count + self._step
        return self._upto(feature, count - self.behind, self._reference)

    def newest(self, feature: int, n: int) -> npt.NDArray[Any]:
        """The newest `n` values of a feature, in order."""
        return self._upto(feature, int(self._counts[feature]), n)

    def _upto(self, feature: int, last: int, n: int) -> npt.NDArray[Any]:
        """The `n` values of a feature that end with number `last`."""
        assert self._rings is not None
        found: npt.NDArray[Any] = self._rings[feature, np.arange(last - n + 1, last + 1) % self._rings.shape[1]]
        return found
