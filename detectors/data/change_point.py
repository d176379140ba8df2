"""When a change most probably began: the point in a window since which its values are unlike all before them.

Source: Smith, "A Bayesian approach to inference about a change-point in a sequence of random variables", Biometrika 62
(1975); here for shares of slots, and with moments that are all as probable in advance.
"""

from __future__ import annotations

import numpy as np

from detectors.data.windowed import Floats, Ints, Slots

_BINS = 10
"""Into which numbers are sorted: with more, a small move takes longer to stand out in any of them."""
_IMAGINED = 2.0
"""Values per slot, spread as in the reference, that those since a change are added to: a few prove nothing."""


def changed_since(reference: Ints, slots: Slots) -> int:
    """How many values of a window, its newest ones, there most probably are since a change: 1 to all of them.

    `reference` is how many values of the reference fall into each slot, `slots` are those of the window's values in
    order of arrival. A window that has changed as a whole gives its length, which is the least that it can be.

    For each moment, the probability of the window is that of its values up to then, each predicted by the shares in the
    reference and before it, times that of its values since, each predicted by the shares of those after it. The moment
    with the highest is the one. Between two moments only one value differs, so that all take no more than a sum.
    """
    n, window = int(reference.sum()), len(slots)
    counts = np.bincount(slots, minlength=len(reference))
    filled = int(np.count_nonzero(reference + counts))
    alike_before = _occurrences(slots)
    alike_after = counts[slots] - 1 - alike_before
    before = np.arange(window)
    after = window - 1 - before
    known = reference[slots] + 0.5
    imagined = _IMAGINED * filled
    by_old = (known + alike_before) / (n + filled / 2.0 + before)
    by_new = (alike_after + imagined * known / (n + filled / 2.0)) / (after + imagined)
    gain = np.cumsum(np.log(by_new / by_old)[::-1])
    return int(gain.argmax()) + 1


def numbers_changed_since(reference: Floats, values: Floats) -> int:
    """The same for numbers, sorted into bins that hold about equally many values of the reference.

    `reference` is in order, `values` are those of the window in order of arrival. A value that makes up half a bin or
    more has a bin of its own.
    """
    size = len(reference)
    ends = np.unique(reference[[size * part // _BINS - 1 for part in range(1, _BINS)]])
    often = reference.searchsorted(ends, side="right") - reference.searchsorted(ends)
    with np.errstate(over="ignore"):
        below = np.nextafter(ends[2 * _BINS * often >= size], -np.inf)
    ends = np.union1d(ends, below)
    counts = np.bincount(ends.searchsorted(reference), minlength=len(ends) + 1)
    return changed_since(counts, ends.searchsorted(values))


def _occurrences(slots: Slots) -> Ints:
    """For each value, how many before it are in the same slot."""
    order = slots.argsort(kind="stable")
    grouped = slots[order]
    found = np.empty(len(slots), dtype=np.int64)
    found[order] = np.arange(len(slots)) - grouped.searchsorted(grouped)
    return found
