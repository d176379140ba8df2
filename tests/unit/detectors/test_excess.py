"""The largest excess against SciPy's distance, for windows small and large, now and event by event."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.data.excess import Excess
from detectors.data.ranks import Ranks

FEATURES = 40


@pytest.mark.parametrize(("reference", "window", "features"), [(100, 50, FEATURES), (50_000, 30_000, 2)])
@pytest.mark.parametrize("decimals", [1, 6])
def test_the_largest_excess_is_scipys_distance_times_both_sizes(
    reference: int, window: int, features: int, decimals: int
) -> None:
    rng = np.random.default_rng(1)
    ranks = Ranks(features, reference)
    excess = Excess(features, reference, window, ranks.width)
    known = rng.normal(size=(features, reference)).round(decimals)
    for feature, values in enumerate(known):
        points, counts = np.unique(values, return_counts=True)
        ranks.learn(feature, points)
        excess.learn(feature, counts)
    seen = rng.normal(0.3, 1.2, size=(features, window + 20)).round(decimals)
    slots = ranks.slots(seen)
    some = np.arange(0, features, 2)
    everywhere = [seen[:, end - window : end] for end in (window, window + 10, window + 20)]

    now = excess.of(slots[:, :window])
    later = excess.during(some, slots[some, :window], slots[some, :20], slots[some, window:], every=10)

    before, first, second = (
        [stats.ks_2samp(a, b, method="asymp").statistic for a, b in zip(known, windows, strict=True)]
        for windows in everywhere
    )
    assert now / reference / window == pytest.approx(before, abs=1e-12)
    assert later / reference / window == pytest.approx(np.array([first, second])[:, some], abs=1e-12)
