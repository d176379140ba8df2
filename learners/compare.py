"""How two learners differ: in what they were made after, and, where they are linear, in their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from river import base, compose, linear_model, multiclass

from learners.base import Learner
from learners.foreign import Foreign
from learners.river_pipeline import steps_of

INTERCEPT = "(intercept)"


def parameters(learner: Learner[Any]) -> dict[str, str]:
    """What a learner was made after, by dotted name, as text."""
    found = {"problem": learner.problem.value, "seed": str(learner.seed)}
    found["features"] = ", ".join((*learner.schema.numeric, *learner.schema.categorical))
    _flatten("", learner.config.model_dump(by_alias=True), found)
    if isinstance(learner, Foreign):
        _flatten("", _given(learner.bare), found)
    return found


def weights(learner: Learner[Any]) -> dict[str, float]:
    """The weights of a linear model, by feature as it takes them, and by class where each has its own; else none."""
    model = steps_of(learner.bare)[-1]
    if isinstance(model, multiclass.OneVsRestClassifier):
        return {
            f"{name}, class {label}": weight
            for label, one in model.classifiers.items()
            for name, weight in _of_one(one).items()
        }
    if isinstance(learner, Foreign) and learner.columns is not None:
        return _of_scikit_learn(model, learner.columns)
    return _of_one(model)


def _of_one(model: Any) -> dict[str, float]:
    if not isinstance(model, (linear_model.LogisticRegression, linear_model.LinearRegression)):
        return {}
    return {INTERCEPT: float(model.intercept)} | {str(name): float(w) for name, w in model.weights.items()}


def _of_scikit_learn(model: Any, columns: tuple[str, ...]) -> dict[str, float]:
    coefficients = np.atleast_2d(getattr(model, "coef_", []))
    if coefficients.shape != (1, len(columns)):
        return {}
    intercept = np.ravel(getattr(model, "intercept_", 0.0))[0]
    return {INTERCEPT: float(intercept)} | dict(zip(columns, coefficients[0].tolist(), strict=True))


def _given(model: Any) -> Any:
    """The parameters that a model was made with, by name."""
    if isinstance(model, compose.Pipeline):
        return {type(step).__name__: _given(step) for step in model.steps.values()}
    if isinstance(model, base.Base):
        return {name: _given(value) for name, value in model._get_params().items()}
    if hasattr(model, "get_params") and not isinstance(model, type):
        return model.get_params()
    return model


def _flatten(prefix: str, value: Any, into: dict[str, str]) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _flatten(f"{prefix}.{name}" if prefix else str(name), inner, into)
    elif isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        for index, inner in enumerate(value):
            _flatten(f"{prefix}[{index}]", inner, into)
    else:
        into[prefix] = _told(value)


def _told(value: Any) -> str:
    """A value as text; the same for equal sets, whatever their order is in this process."""
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(repr, value)))}}}"
    return str(value)
