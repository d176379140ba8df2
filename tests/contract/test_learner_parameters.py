"""Parameters that make no sense are refused, by learners as by detectors, with the field and what is allowed."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError

from learners.base import ImbalanceConfig
from learners.registry import AnyLearnerConfig

RECIPES, _ = get_args(AnyLearnerConfig)
law_of_configs = pytest.mark.parametrize("config", [*get_args(RECIPES), ImbalanceConfig])


@law_of_configs
def test_every_number_out_of_range_is_refused_by_name(config: type[BaseModel]) -> None:
    for name, field in config.model_fields.items():
        if field.annotation not in (int, float):
            continue
        outside = [bad for bound in field.metadata for bad in just_outside(bound)]
        assert outside, f"{config.__name__}.{name} has no bounds"
        for bad in outside:
            with pytest.raises(ValidationError) as refused:
                config.model_validate({name: bad})
            complaint = [error for error in refused.value.errors() if error["loc"] == (name,)]
            assert complaint, (name, bad)
            assert "should be" in complaint[0]["msg"]


@law_of_configs
def test_an_unknown_parameter_is_refused_by_name(config: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="grace_perriod"):
        config.model_validate({"grace_perriod": 5})


def just_outside(bound: Any) -> list[float]:
    """Values that break a bound."""
    match bound:
        case Ge(ge=int() | float() as least):
            return [least - 1]
        case Le(le=int() | float() as most):
            return [most + 1]
        case Gt(gt=int() | float() as limit) | Lt(lt=int() | float() as limit):
            return [limit]
    return []
