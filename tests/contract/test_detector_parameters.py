"""What every registered detector refuses at construction, concept and data alike, and in which words."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from detectors.registry import CONCEPT, DATA, ConceptConfig, DataConfig, config_of

INVALID: dict[str, list[tuple[dict[str, Any], tuple[str, ...]]]] = {
    "adwin": [
        ({"delta": -5}, ("delta", "greater than 0")),
        ({"delta": 1}, ("delta", "less than 1")),
        ({"clock": 0}, ("clock", "greater than or equal to 1")),
        ({"max_buckets": 1}, ("max_buckets", "greater than or equal to 2")),
        ({"warmup": 10}, ("warmup", "at least 16", "min_window")),
        ({"delta": 0.1, "run_length": 1e6}, ("delta: got 0.1 along with run_length=1,000,000", "Remove")),
    ],
    "cusum": [
        ({"shift": 0}, ("shift", "greater than 0")),
        ({"threshold": math.inf}, ("threshold", "finite")),
        ({"threshold": 5, "run_length": 1e6}, ("threshold: got 5 along with run_length=1,000,000", "Remove")),
        ({"warmup": 29}, ("warmup", "greater than or equal to 30")),
    ],
    "ddm": [
        ({"warmup": 29}, ("warmup", "greater than or equal to 30")),
        ({"drift_level": math.inf}, ("drift_level", "finite")),
        ({"warning_level": 3.0}, ("warning_level", "less than drift_level=3")),
        ({"run_length": 1e6}, ("run_length: got 1,000,000", "cannot keep one", "e_detector")),
    ],
    "e_detector": [
        ({"run_length": 0}, ("run_length", "greater than or equal to 10")),
        ({"run_length": math.nan}, ("run_length", "finite")),
        ({"warmup": 29}, ("warmup", "greater than or equal to 30")),
        ({"bound": "none"}, ("bound", "'proven' or 'calibrated'")),
    ],
    "eddm": [
        ({"run_length": 1e6}, ("run_length: got 1,000,000", "cannot keep one", "e_detector")),
        ({"mistake": 0}, ("mistake", "greater than 0")),
        ({"drift_level": 1}, ("drift_level", "less than 1")),
        ({"warning_level": 0.5}, ("warning_level", "more than drift_level=0.8")),
    ],
    "error_blocks": [
        ({"block": 9}, ("block", "10 to 1000000")),
        ({"block": "month"}, ("block", "week")),
        ({"block": 200, "run_length": 1999}, ("run_length", "at least 2,000")),
        ({"timezone": "Mars"}, ("timezone", "America/New_York")),
        ({"warmup": 29}, ("warmup", "less than or equal to 28")),
    ],
    "hddm_a": [
        ({"drift_confidence": 0}, ("drift_confidence", "greater than 0")),
        ({"warning_confidence": 0.001}, ("warning_confidence", "more than drift_confidence=0.001")),
        ({"warning_confidence": 0.1, "run_length": 1e6}, ("warning_confidence: got 0.1 along with", "Remove")),
    ],
    "hddm_w": [
        ({"weight": 1}, ("weight", "less than 1")),
        ({"run_length": 999}, ("run_length", "greater than or equal to 1000")),
        ({"drift_confidence": 0.1}, ("warning_confidence", "more than drift_confidence=0.1")),
    ],
    "kswin": [
        ({"alpha": 0}, ("alpha", "greater than 0")),
        ({"seed": -1}, ("seed", "greater than or equal to 0")),
        ({"window": 60}, ("window", "at least 2 x recent = 100")),
        ({"alpha": 1e-6, "recent": 10}, ("alpha", "could never alarm", "Raise")),
        ({"run_length": 1e9, "recent": 10}, ("run_length: got 1,000,000,000", "could never alarm", "Raise recent")),
    ],
    "page_hinkley": [
        ({"threshold": 0}, ("threshold", "greater than 0")),
        ({"delta": math.nan}, ("delta", "finite")),
        ({"forgetting": 1.1}, ("forgetting", "less than or equal to 1")),
        ({"forgetting": 0.9, "run_length": 1e6}, ("forgetting: got 0.9 along with", "at least 0.99", "Raise")),
    ],
    "rddm": [
        ({"warning_level": 3.0}, ("warning_level", "less than drift_level=3")),
        ({"newest": 20_001}, ("newest", "at most half of longest=40000")),
        ({"newest": 200, "warmup": 200, "warning_limit": 50}, ("newest", "more than warmup=200")),
        ({"warning_limit": 7001}, ("warning_limit", "at most newest=7000")),
        ({"run_length": 1e5}, ("run_length: got 100,000", "at least 330,000", "Lower longest")),
    ],
    "stepd": [
        ({"alpha": 0}, ("alpha", "greater than 0")),
        ({"alpha": 1e-3}, ("warning_alpha", "more than alpha=0.001")),
        ({"window": 100}, ("warmup", "at least 2 x window = 200")),
        ({"alpha": 1e-6, "run_length": 1e6}, ("alpha: got 1e-06 along with run_length=1,000,000", "Remove")),
    ],
    "ks": [
        ({"reference": 99}, ("reference", "greater than or equal to 100")),
        ({"window": 0}, ("window", "greater than or equal to 30")),
        ({"every": 501}, ("every", "at most window=500")),
        ({"alpha": 0}, ("alpha", "greater than 0")),
        ({"alpha": 0.1, "warning_alpha": 0.1}, ("warning_alpha", "more than alpha=0.1")),
        ({"min_effect": 1.0}, ("min_effect", "less than 1")),
        ({"run_length": 999}, ("run_length", "greater than or equal to 1000")),
        ({"features": []}, ("features", "at least 1")),
        ({"features": ["a", "a"]}, ("features", "once")),
        ({"rolling": {"gap": -1}}, ("rolling.gap", "greater than or equal to 0")),
        ({"rolling": {"step": 0}}, ("rolling.step", "greater than or equal to 1")),
        ({"rolling": {"gab": 100}}, ("rolling.gab", "not permitted")),
    ],
    "psi": [
        ({"bins": 1}, ("bins", "greater than or equal to 2")),
        ({"bins": 21, "window": 100}, ("bins", "at most 20", "Lower bins or raise window")),
        ({"min_effect": -0.1}, ("min_effect", "greater than or equal to 0")),
    ],
    "jensen_shannon": [
        ({"bins": 101}, ("bins", "less than or equal to 100")),
        ({"bins": 30, "reference": 100}, ("bins", "at most 20")),
        ({"min_effect": 1}, ("min_effect", "less than 1")),
    ],
    "wasserstein": [
        ({"min_effect": math.inf}, ("min_effect", "finite")),
        ({"every": 501}, ("every", "at most window=500")),
    ],
    "multivariate": [
        ({"rolling": {}}, ("rolling", "multivariate cannot have it", "Remove it")),
        ({"components": 3}, ("components", "greater than or equal to 4")),
        ({"reference": 100}, ("components", "at most 10", "Lower components or raise reference")),
        ({"seed": -1}, ("seed", "greater than or equal to 0")),
        ({"min_effect": math.inf}, ("min_effect", "finite")),
    ],
    "missing_rate": [
        ({"min_effect": 1}, ("min_effect", "less than 1")),
        ({"alpha": 0}, ("alpha", "greater than 0")),
    ],
    "new_category": [
        ({"min_effect": -0.01}, ("min_effect", "greater than or equal to 0")),
        ({"alpha": 0.1, "warning_alpha": 0.01}, ("warning_alpha", "more than alpha=0.1")),
    ],
    "schema": [
        ({"min_effect": 1}, ("min_effect", "less than 1")),
        ({"every": 501}, ("every", "at most window=500")),
    ],
    "value_range": [
        ({"margin": -0.1}, ("margin", "greater than or equal to 0")),
        ({"margin": math.nan}, ("margin", "finite")),
    ],
    "conformal": [
        ({"run_length": math.inf}, ("run_length", "finite")),
        ({"reference": 99}, ("reference", "greater than or equal to 100")),
        ({"every": 101}, ("every", "less than or equal to 100")),
        ({"seed": -1}, ("seed", "greater than or equal to 0")),
        ({"features": ["a", "a"]}, ("features", "once")),
        ({"rolling": {"gap": 100}}, ("rolling", "conformal cannot have it", "Remove it")),
    ],
    "feature_blocks": [
        ({"block": 1_000_001}, ("block", "10 to 1000000")),
        ({"block": 200, "run_length": 1999}, ("run_length", "at least 2,000")),
        ({"timezone": "Mars"}, ("timezone", "America/New_York")),
        ({"warmup": 4}, ("warmup", "greater than or equal to 5")),
    ],
    "chi_squared": [
        ({"max_categories": 1}, ("max_categories", "greater than or equal to 2")),
        ({"alpha": math.nan}, ("alpha", "finite")),
        ({"window": 30.5}, ("window", "integer")),
    ],
}


NUMBERS = {
    kind: [
        (name, int in of)
        for name, field in config_of(detector).model_fields.items()
        if {int, float} & (of := {field.annotation, *get_args(field.annotation)})
    ]
    for kind, detector in {**CONCEPT, **DATA}.items()
}
"""The parameters of each that are numbers, and whether they are whole."""


def configure(kind: str, options: dict[str, Any]) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(ConceptConfig if kind in CONCEPT else DataConfig)
    adapter.validate_python({"kind": kind, **options})


def test_every_registered_detector_is_held_to_the_law() -> None:
    assert set(INVALID) == set(CONCEPT) | set(DATA)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [(kind, options, words) for kind, invalid in INVALID.items() for options, words in invalid],
    ids=lambda value: str(value) if isinstance(value, (str, dict)) else "",
)
def test_wrong_parameters_are_refused_with_the_field_and_what_is_allowed(
    kind: str, options: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(ValidationError) as refusal:
        configure(kind, options)
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize("kind", INVALID)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e300, "many", [1], {}], ids=str)
def test_what_is_no_number_of_a_usable_size_is_refused_by_the_name_of_each_parameter(kind: str, value: Any) -> None:
    for name, _ in NUMBERS[kind]:
        with pytest.raises(ValidationError, match=name):
            configure(kind, {name: value})


@pytest.mark.parametrize("kind", INVALID)
def test_a_whole_number_that_no_stream_comes_to_is_refused(kind: str) -> None:
    whole = [name for name, is_whole in NUMBERS[kind] if is_whole]
    assert whole
    for name in whole:
        with pytest.raises(ValidationError, match=name):
            configure(kind, {name: 10**15})


@pytest.mark.parametrize("kind", INVALID)
def test_an_unknown_option_is_refused_by_name(kind: str) -> None:
    with pytest.raises(ValidationError, match="detla"):
        configure(kind, {"detla": 0.1})
