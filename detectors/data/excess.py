"""How far apart a window and its reference are: the largest difference of their distribution functions, in integers.

The excess at a slot is `window` times the values of the reference up to it, less `reference` times those of the
window. The largest excess in either direction, divided by both sizes, is the Kolmogorov-Smirnov distance.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from detectors.data.windowed import Ints, Slots

_AT_ONCE = 32
"""Features looked at together: what they need should fit into the caches."""


class Excess:
    """The references of `n` features, and what they say of windows. All sizes are numbers of values.

    A window is a row of slots, `width` to a feature and numbered on over the features, in any order.
    """

    def __init__(self, n: int, reference: int, window: int, width: int) -> None:
        most = 2 * reference * window  # room to add any excess to another
        kind = np.int32 if most < np.iinfo(np.int32).max else np.int64
        self._reference, self._window, self._width = reference, window, width
        # By slot, times window: minus the number of values of the reference up to it; that of those right before it.
        self._shares = np.zeros((n * width, 2), dtype=kind)
        rising = np.arange(window, dtype=np.int64) * reference
        self._rising = np.stack([rising + reference, -rising], axis=1).astype(kind)

    def learn(self, feature: int, counts: Ints) -> None:
        """Take a reference: how often each of its distinct values, which are in order, occurs."""
        n = len(counts)
        upto = np.cumsum(counts) * self._window
        before = upto - counts * self._window
        shares = self._shares[feature * self._width : (feature + 1) * self._width]
        shares[: 2 * n : 2] = np.stack([-before, before], axis=1)
        shares[1 : 2 * n : 2] = np.stack([-upto, before], axis=1)
        shares[2 * n :] = -upto[-1], upto[-1]

    def of(self, windows: Slots) -> Ints:
        """The largest excess of each of some windows, in either direction.

        The window is furthest ahead at one of its values, the reference right before one.
        """
        if len(windows) <= _AT_ONCE:
            excess = self._shares.take(np.sort(windows, axis=1), axis=0)
            excess += self._rising
            found: Ints = excess.reshape(len(excess), -1).max(axis=1)
            return found
        return np.concatenate([self.of(windows[part]) for part in _parts(len(windows))])

    def during(self, features: Ints, windows: Slots, going: Slots, coming: Slots, every: int) -> Ints:
        """The largest excess after each `every` of the exchanges of a block, checks by features.

        `windows` are those of `features` before the block; exchange e takes `going[:, e]` out of them and puts
        `coming[:, e]` in. There are at most 127 exchanges.
        """
        parts = _parts(len(features))
        found = [self._during(features[part], windows[part], going[part], coming[part], every) for part in parts]
        return np.concatenate(found, axis=1)

    def _during(self, features: Ints, windows: Slots, going: Slots, coming: Slots, every: int) -> Ints:
        """Between two slots that any value of the block touches, the excess of all slots moves by the same amount."""
        n, block = going.shape
        first = (features * self._width)[:, np.newaxis]
        row = np.arange(n, dtype=np.int64)[:, np.newaxis] * self._width
        counts = np.bincount((windows + (row - first)).reshape(-1), minlength=n * self._width)
        excess = counts.reshape(n, -1).cumsum(axis=1, dtype=self._shares.dtype)
        excess *= -self._reference
        excess -= self._shares[:, 0].reshape(-1, self._width)[features]
        edges = np.zeros((n, 2 * block + 1), dtype=np.int64)
        edges[:, 1 : block + 1] = going
        edges[:, block + 1 :] = coming
        edges[:, 1:] -= first
        edges.sort(axis=1)
        starts = (edges + row).reshape(-1)
        highest = np.maximum.reduceat(excess.reshape(-1), starts).reshape(n, -1)
        lowest = np.minimum.reduceat(excess.reshape(-1), starts).reshape(n, -1)
        edges = (edges + first).astype(going.dtype)
        moved = (going.T[:, :, np.newaxis] <= edges).view(np.int8)
        moved -= (coming.T[:, :, np.newaxis].astype(going.dtype) <= edges).view(np.int8)
        for before, after in pairwise(moved):
            np.add(before, after, out=after)
        change = moved[every - 1 :: every].astype(self._shares.dtype)
        change *= self._reference
        below = (change + highest).max(axis=2)
        change += lowest
        found: Ints = np.maximum(below, -change.min(axis=2))
        return found


def _parts(n: int) -> list[slice]:
    return [slice(start, start + _AT_ONCE) for start in range(0, n, _AT_ONCE)]
