"""From a dotted name in a configuration to a class of River's, and from a specification to an object.

Only names are ever looked up, never code run: a name must be that of a public class defined in River, in one of the
packages that hold estimators and their parts. Whatever else a River module happens to import can't be reached by it.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Mapping
from typing import Any

from river import base

from learners import prepare
from learners.base import LearnerError, Schema

PACKAGES = frozenset(
    {
        "active",
        "anomaly",
        "bandit",
        "cluster",
        "compose",
        "conf",
        "covariance",
        "drift",
        "dummy",
        "ensemble",
        "facto",
        "feature_extraction",
        "feature_selection",
        "forest",
        "imblearn",
        "linear_model",
        "metrics",
        "misc",
        "model_selection",
        "multiclass",
        "naive_bayes",
        "neighbors",
        "optim",
        "preprocessing",
        "proba",
        "rules",
        "sketch",
        "stats",
        "tree",
        "utils",
    }
)
"""River's packages that may be named; those that fetch data, read files or wrap other libraries are left out."""

OWN: Mapping[str, type[prepare.Encoder]] = {
    "learners.ScaleAndFlag": prepare.ScaleAndFlag,
    "learners.ClipAndCode": prepare.ClipAndCode,
}
"""Driftline's own transformers; they are given the declared features."""

_NAME = re.compile(r"river(\.[a-z][a-z0-9]*(_[a-z0-9]+)*)+\.[A-Z][A-Za-z0-9]*")


def find_class(name: str, where: str) -> type[Any]:
    """The class a dotted name stands for. Raises `LearnerError` for anything but a public, concrete class of River."""
    if name in OWN:
        return OWN[name]
    allowed = f"a class of River such as river.linear_model.LogisticRegression, or one of {', '.join(OWN)}"
    if not _NAME.fullmatch(name) or name.split(".")[1] not in PACKAGES:
        raise LearnerError(f"{where}: got {name!r}; expected {allowed}")
    module_name, _, class_name = name.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise LearnerError(f"{where}: River has no module {module_name!r} ({error}); expected {allowed}") from error
    found = vars(module).get(class_name)
    is_rivers = isinstance(found, type) and found.__module__.startswith("river.") and issubclass(found, base.Base)
    if not isinstance(found, type) or not is_rivers:
        has = sorted(n for n, o in vars(module).items() if isinstance(o, type) and issubclass(o, base.Base))
        raise LearnerError(f"{where}: River has no estimator {name!r}; {module_name} has {', '.join(has) or 'none'}")
    if inspect.isabstract(found):
        raise LearnerError(f"{where}: {name} is abstract; name one of the classes made from it")
    return found


def construct(spec: Mapping[str, Any], schema: Schema, seed: int, where: str) -> Any:
    """The object a specification `{use, with, args}` describes, with those nested in its parameters.

    A parameter `seed` that is left out is set to `seed`, so that every random choice can be repeated. Raises
    `LearnerError` naming the place, the parameter and what is allowed.
    """
    unknown = set(spec) - {"use", "with", "args"}
    if unknown:
        raise LearnerError(f"{where}: unknown field {min(unknown)!r}; expected use, with, args")
    kind = find_class(spec["use"], f"{where}.use")
    named, positional = spec.get("with") or {}, spec.get("args") or []
    if not isinstance(named, Mapping) or not isinstance(positional, (list, tuple)):
        raise LearnerError(f"{where}: `with` holds named parameters, `args` a list of unnamed ones")
    parameters = inspect.signature(kind).parameters
    own = {"numeric", "categorical"} if spec["use"] in OWN else set()
    allowed = [name for name in parameters if name not in own]
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    for name in named:
        if name not in allowed and not takes_any:
            valid = ", ".join(allowed) or "none"
            raise LearnerError(f"{where}.with.{name}: {spec['use']} has no such parameter; it has {valid}")
    values = {name: _value(value, schema, seed, f"{where}.with.{name}") for name, value in named.items()}
    if own:
        values |= {"numeric": schema.numeric, "categorical": schema.categorical}
    if "seed" in parameters and "seed" not in values:
        values["seed"] = seed
    args = [_value(value, schema, seed, f"{where}.args[{index}]") for index, value in enumerate(positional)]
    try:
        return kind(*args, **values)
    except Exception as error:
        raise LearnerError(
            f"{where}: {spec['use']} refused its parameters: {error}; it has {', '.join(allowed)}"
        ) from error


def _value(value: Any, schema: Schema, seed: int, where: str) -> Any:
    """A parameter's value: an object where it is a specification, else what the configuration holds."""
    if isinstance(value, Mapping):
        if "use" in value:
            return construct(value, schema, seed, where)
        return {key: _value(item, schema, seed, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item, schema, seed, f"{where}[{index}]") for index, item in enumerate(value)]
    return value
