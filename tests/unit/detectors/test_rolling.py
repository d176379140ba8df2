"""The run length of a detector whose reference moves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.base import Row
from detectors.calibration.ks import run_length_of, threshold
from detectors.data.ks import KolmogorovSmirnov, KsConfig
from detectors.data.rolling import RollingConfig
from detectors.settings import Share

SIZES = 200, 100, 20
ROLLING = RollingConfig(gap=300, step=40)
RUN_LENGTH = 3000.0


def configured(rolling: RollingConfig | None = ROLLING, **options: float) -> KsConfig:
    reference, window, every = SIZES
    sizes = {"reference": reference, "window": window, "every": every}
    return KsConfig.model_validate({**sizes, "min_effect": 0.0, "rolling": rolling, **options})


def test_a_reference_that_moves_takes_the_threshold_of_one_that_had_no_time_to_prove_good() -> None:
    detector = KolmogorovSmirnov(configured(run_length=RUN_LENGTH), ["x"])
    detector.observe([{"x": float(n % 7)} for n in range(300)])

    found = detector.readings()["x"].threshold

    assert found == threshold(*SIZES, RUN_LENGTH, horizon=1.0)
    assert found is not None
    assert found > threshold(*SIZES, RUN_LENGTH)
    assert run_length_of(*SIZES, found) > RUN_LENGTH, "for one that stays it would be more than is needed"


@pytest.mark.parametrize("horizon", [math.inf, 1e6])
def test_a_share_of_a_budget_is_kept_whatever_its_horizon(horizon: float) -> None:
    config = configured().with_share(Share(RUN_LENGTH, horizon))
    assert config.counted_over == 1.0
    assert config.rolling == ROLLING


def test_the_run_length_holds_while_the_reference_moves() -> None:
    names = [f"f{n}" for n in range(50)]
    detector = KolmogorovSmirnov(configured(run_length=RUN_LENGTH), names)
    rng, alarms, rows = np.random.default_rng(1), 0, 4000
    for _ in range(rows // 1000):
        values = rng.normal(size=(1000, len(names))).tolist()
        span: list[Row] = [dict(zip(names, row, strict=True)) for row in values]
        alarms += len(detector.observe(span))
    assert 0.8 < rows * len(names) / alarms / RUN_LENGTH < 1.5
