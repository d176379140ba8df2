"""PSI and Jensen-Shannon against NumPy and SciPy on the same bins, and their false alarms against alpha."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from detectors.base import Reading, Row, State
from detectors.data.binned import BinnedDetector
from detectors.data.jensen_shannon import JensenShannon, JensenShannonConfig
from detectors.data.psi import Psi, PsiConfig

REFERENCE, WINDOW = 200, 100


def psi(**options: Any) -> Psi:
    return Psi(PsiConfig(reference=REFERENCE, window=WINDOW, every=20, **options), ["x"])


def jensen_shannon(**options: Any) -> JensenShannon:
    config = JensenShannonConfig(reference=REFERENCE, window=WINDOW, every=20, **options)
    return JensenShannon(config, ["x"])


def reading_of(
    detector: BinnedDetector[PsiConfig] | BinnedDetector[JensenShannonConfig], values: list[float]
) -> Reading:
    """The reading after the first full window; an alarm, if there was one."""
    detector.observe([{"x": value} for value in values])
    return detector.readings()["x"]


def smoothed(before: Sequence[int], after: Sequence[int], added: float) -> tuple[list[float], list[float]]:
    one, other = ([count + added for count in counts] for counts in (before, after))
    return [count / sum(one) for count in one], [count / sum(other) for count in other]


def continuous() -> tuple[list[float], list[int], list[int]]:
    """Values whose window lies somewhat higher, and how many of either sample are in each tenth of the reference."""
    rng = random.Random(4)
    values = [rng.gauss(0.0 if index < REFERENCE else 0.3, 1.0) for index in range(REFERENCE + WINDOW)]
    ordered = sorted(values[:REFERENCE])
    edges = [-math.inf, *(ordered[REFERENCE * part // 10 - 1] for part in range(1, 10)), math.inf]
    before, after = (
        [sum(low < value <= high for value in sample) for low, high in pairwise(edges)]
        for sample in (values[:REFERENCE], values[REFERENCE:])
    )
    assert before == [20] * 10
    return values, before, after


def test_psi_is_that_of_its_definition_over_tenths_of_the_reference() -> None:
    values, before, after = continuous()
    one, other = smoothed(before, after, 0.75)
    expected = sum((b - a) * math.log(b / a) for a, b in zip(one, other, strict=True))
    reading = reading_of(psi(alpha=1e-9), values)
    assert reading.statistic == pytest.approx(expected)
    assert reading.p_value == pytest.approx(stats.chi2.sf(expected / (1 / REFERENCE + 1 / WINDOW), 9))
    assert reading.before == pytest.approx(np.mean(values[:REFERENCE]))
    assert reading.after == pytest.approx(np.mean(values[REFERENCE:]))


def test_the_jensen_shannon_distance_equals_scipys_on_the_same_bins() -> None:
    values, before, after = continuous()
    one, other = smoothed(before, after, 0.5)
    reading = reading_of(jensen_shannon(alpha=1e-9), values)
    assert reading.statistic == pytest.approx(distance.jensenshannon(one, other, base=2))


def test_the_threshold_is_the_distance_that_goes_with_alpha_or_the_least_effect() -> None:
    values = continuous()[0]
    by_chance = 1 / REFERENCE + 1 / WINDOW
    critical = by_chance * stats.chi2.isf(1e-4, 9)
    assert reading_of(psi(), values).threshold == pytest.approx(critical)
    assert reading_of(psi(min_effect=2.0), values).threshold == 2.0
    assert reading_of(jensen_shannon(), values).threshold == pytest.approx(math.sqrt(critical / 8 / math.log(2)))


def test_of_a_constant_reference_what_is_below_is_told_from_it() -> None:
    reading = reading_of(psi(), [3.0] * REFERENCE + [3.0] * 50 + [2.0] * 50)
    one, other = smoothed([0, 200], [50, 50], 0.75)
    assert reading.state is State.DRIFT
    assert reading.statistic == pytest.approx(sum((b - a) * math.log(b / a) for a, b in zip(one, other, strict=True)))
    assert reading.before == pytest.approx(3.0)
    assert (reading.after, reading.direction) == (2.5, "down")


def test_a_frequent_value_has_a_bin_of_its_own() -> None:
    reference = [0.0] * 120 + [-1.0] * 40 + [1.0] * 40
    reading = reading_of(jensen_shannon(), [*reference, *[-1.0] * 50, *[1.0] * 50])
    one, other = smoothed([40, 120, 40], [50, 0, 50], 0.5)
    assert reading.statistic == pytest.approx(distance.jensenshannon(one, other, base=2))
    assert (reading.state, reading.direction) == (State.DRIFT, "wider")


@pytest.mark.parametrize(("config", "detector"), [(PsiConfig, Psi), (JensenShannonConfig, JensenShannon)])
@pytest.mark.parametrize("discrete", [False, True])
def test_false_alarms_at_one_check_stay_within_alpha(config: type, detector: type, discrete: bool) -> None:
    rng = np.random.default_rng(3)
    features = [str(feature) for feature in range(50)]
    settings = config(reference=200, window=100, every=100, alpha=0.9, min_effect=0.0)
    alarms = 0
    for _ in range(10):
        values = rng.poisson(3, size=(300, 50)) if discrete else rng.normal(size=(300, 50))
        rows: list[Row] = [dict(zip(features, row, strict=True)) for row in values.tolist()]
        alarms += len(detector(settings, features).observe(rows))
    assert alarms < 10 * 0.9 * 2, "expected at most 9: alpha is over all features together"
