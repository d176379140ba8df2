"""Run lengths of the detectors on features: how they are configured, what thresholds they give, and that they hold."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import special

from detectors.base import Row
from detectors.calibration.chi_squared import chance, run_length_of
from detectors.calibration.counts import critical
from detectors.calibration.renewal import safe_chance
from detectors.data.binned import BinnedDetector
from detectors.data.chi_squared import ChiSquaredConfig
from detectors.data.conformal import ConformalConfig
from detectors.data.jensen_shannon import JensenShannon, JensenShannonConfig
from detectors.data.ks import KsConfig
from detectors.data.missing_rate import MissingRateConfig
from detectors.data.multivariate import MultivariateConfig
from detectors.data.new_category import NewCategoryConfig
from detectors.data.psi import Psi, PsiConfig
from detectors.data.schema import SchemaConfig
from detectors.data.value_range import ValueRangeConfig
from detectors.data.wasserstein import WassersteinConfig
from detectors.data.window_config import WindowedConfig
from detectors.data.windowed import Floats
from detectors.registry import DATA
from detectors.settings import Share

WINDOWED: list[type[WindowedConfig]] = [
    ChiSquaredConfig,
    JensenShannonConfig,
    KsConfig,
    MissingRateConfig,
    MultivariateConfig,
    NewCategoryConfig,
    PsiConfig,
    SchemaConfig,
    ValueRangeConfig,
    WassersteinConfig,
]


OTHER = {"window": 300, "min_effect": 0.2}
Configured: TypeAlias = type[WindowedConfig]


@pytest.fixture(params=WINDOWED, ids=lambda config: config.__name__)
def config(request: pytest.FixtureRequest) -> Configured:
    chosen: Configured = request.param
    return chosen


def test_all_but_those_that_have_no_alpha_take_a_run_length_instead_of_it() -> None:
    assert {config.model_validate({}).kind for config in WINDOWED} == set(DATA) - {"conformal", "feature_blocks"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"run_length": 1e6, "alpha": 0.001}, ("alpha: got 0.001", "run_length=1,000,000", "one of the two", "Remove")),
        ({"run_length": 1e6, "warning_alpha": 0.01}, ("warning_alpha: got 0.01", "run_length=1,000,000", "Remove")),
        ({"horizon": 1e6}, ("horizon: got 1,000,000 without run_length", "Give run_length")),
        ({"run_length": 1e6, "horizon": 0}, ("horizon", "greater than 0")),
        ({"run_length": 999}, ("run_length", "greater than or equal to 1000")),
        ({"run_length": 2e12}, ("run_length", "less than or equal to 1000000000000")),
    ],
)
def test_a_run_length_stands_instead_of_alpha(
    config: Configured, options: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(ValidationError) as refusal:
        config.model_validate(options)
    for word in words:
        assert word in str(refusal.value)


def test_a_share_of_a_budget_sets_run_length_and_horizon_and_leaves_the_rest(config: Configured) -> None:
    shared = config.model_validate(OTHER).with_share(Share(1e9, 1e6))

    assert (shared.run_length, shared.horizon) == (1e9, 1e6)
    assert (shared.window, shared.min_effect) == (300, 0.2)
    assert config.model_validate_json(shared.model_dump_json()) == shared


def test_a_share_for_the_long_run_has_no_horizon(config: Configured) -> None:
    assert config.model_validate({}).with_share(Share(1e9)).horizon is None


@pytest.mark.parametrize("options", [{"run_length": 1e5}, {"alpha": 0.01}, {"warning_alpha": 0.01}])
def test_what_says_how_easily_it_alarms_is_set_by_hand(config: Configured, options: dict[str, float]) -> None:
    assert config.model_validate(options).set_by_hand
    assert not config.model_validate(OTHER).set_by_hand


def test_a_proven_bound_needs_no_horizon() -> None:
    shared = ConformalConfig().with_share(Share(1e9, 1e6))
    assert shared.run_length == 1e9


@pytest.mark.parametrize("freedom", [1, 20])
def test_longer_runs_more_frequent_checks_and_shorter_horizons_take_rarer_alarms(freedom: int) -> None:
    by_length = [chance(1000, 500, 50, freedom, length) for length in (1e3, 1e6, 1e12)]
    by_every = [chance(1000, 500, every, freedom, 1e6) for every in (500, 10, 1)]
    by_horizon = [chance(1000, 500, 50, freedom, 1e6, horizon=horizon) for horizon in (math.inf, 1e6, 1e4)]

    for chances in (by_length, by_every, by_horizon):
        assert chances == sorted(set(chances), reverse=True)
    assert by_length[-1] > 0.0


def test_windows_that_share_no_value_are_independent_tests() -> None:
    share = chance(100_000, 1000, 1000, 9, 1e6)

    assert 1000 / share == pytest.approx(1e6, rel=0.05)


def test_the_run_length_of_the_level_is_the_one_asked_for() -> None:
    level = float(special.chdtri(9, chance(1000, 500, 50, 9, 1e6, horizon=1e6)))

    assert run_length_of(1000, 500, 50, 9, level, horizon=1e6) == pytest.approx(1e6, rel=1e-3)


def test_without_a_theory_of_the_statistic_alarms_are_rarer_still() -> None:
    assert safe_chance(500, 50, 1e6) < chance(1000, 500, 50, 1, 1e6, horizon=1e6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((99, 500, 50, 9, 1e6), "reference: got 99"),
        ((1000, 29, 10, 9, 1e6), "window: got 29"),
        ((1000, 500, 501, 9, 1e6), "every: got 501; expected 1 to 500"),
        ((1000, 500, 50, 9, 999), "run_length: got 999; expected 1,000 to 1,000,000,000,000"),
        ((1000, 500, 50, 9, math.nan), "run_length: got nan"),
    ],
)
def test_what_was_not_validated_is_refused(arguments: tuple[int, int, int, int, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chance(*arguments)


@pytest.mark.parametrize("detector", [Psi, JensenShannon])
@pytest.mark.parametrize(("reference", "window", "bins"), [(200, 100, 10), (1000, 100, 10), (400, 400, 5)])
@pytest.mark.parametrize("share", [0.01, 0.001])
def test_the_critical_index_is_reached_as_rarely_as_stated(
    detector: type[BinnedDetector[Any]], reference: int, window: int, bins: int, share: float
) -> None:
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.full(bins, reference / bins), size=100_000)
    counts = rng.multinomial(window, shares).astype(np.float64)
    seen: Floats = (counts + detector.added) / (window + bins * detector.added)
    known = np.full(seen.shape, 1.0 / bins)

    least = critical(reference, window, bins, detector.added, detector._terms, share)

    assert np.mean(detector._terms(known, seen).sum(axis=1) >= least) == pytest.approx(share, rel=0.3)


@pytest.mark.parametrize("sizes", [(100, 100_000, 10), (100_000, 50, 10), (100, 30, 2)], ids=str)
def test_the_rarer_the_larger_is_the_critical_index_whatever_the_sizes(sizes: tuple[int, int, int]) -> None:
    found = [critical(*sizes, Psi.added, Psi._terms, share) for share in (0.5, 1e-3, 1e-6, 1e-9)]

    assert found == sorted(set(found))
    assert found[0] > 0.0


FEATURES, ROWS = 40, 6000
SHORT: dict[str, Any] = {
    "reference": 100,
    "window": 50,
    "every": 10,
    "run_length": 1000,
    "horizon": ROWS,
    "min_effect": 0,
}
NAMES = [f"f{number}" for number in range(FEATURES)]


def run_length_seen(config: WindowedConfig, discrete: bool) -> float:
    """What a detector does on features that never change: the values it watched for each alarm."""
    rng = np.random.default_rng(2)
    values = rng.integers(4, size=(ROWS, FEATURES)) if discrete else rng.normal(size=(ROWS, FEATURES))
    rows: list[Row] = [dict(zip(NAMES, row, strict=True)) for row in values.tolist()]
    alarms = len(DATA[config.kind](config, NAMES).observe(rows))
    filling = (config.reference + config.window) * (alarms + FEATURES)
    return (values.size - filling) / max(alarms, 1)


@pytest.mark.parametrize(
    ("config", "discrete"),
    [
        (PsiConfig(**SHORT, bins=5), False),
        (JensenShannonConfig(**SHORT, bins=5), False),
        (WassersteinConfig(**SHORT), False),
        (ChiSquaredConfig(**SHORT), True),
    ],
    ids=lambda value: value.kind if isinstance(value, WindowedConfig) else "",
)
def test_runs_are_as_long_as_stated(config: WindowedConfig, discrete: bool) -> None:
    assert 800 < run_length_seen(config, discrete) < 1500


@pytest.mark.parametrize(
    ("config", "discrete"),
    [
        (PsiConfig(**SHORT, bins=5), True),
        (JensenShannonConfig(**SHORT, bins=5), True),
        (WassersteinConfig(**SHORT), True),
        (ValueRangeConfig(**SHORT), False),
        (NewCategoryConfig(**SHORT), True),
    ],
    ids=lambda value: value.kind if isinstance(value, WindowedConfig) else "",
)
def test_ties_and_rare_values_do_not_make_runs_shorter(config: WindowedConfig, discrete: bool) -> None:
    assert run_length_seen(config, discrete) > 800
