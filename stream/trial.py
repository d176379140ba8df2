"""Trying out a model from elsewhere on events such as the configuration describes, before it may see real ones."""

from __future__ import annotations

import io
import math
import random
from typing import Any, Final

from learners.base import Learner, LearnerError, Problem, Schema
from learners.envelope import MAGIC
from learners.foreign import adopt, unpickled
from learners.unpickle import AllowListPickler, AllowListUnpickler
from stream.config.events import CategoryFeature, NumberFeature
from stream.config.model import Config
from stream.errors import ModelError
from stream.stores.registry import ModelStore

TRIED: Final = 50
"""Events of a trial."""


def is_sealed(data: bytes) -> bool:
    """Whether a file is an artifact, which somebody has signed. Anything else is taken for a pickle."""
    return data.startswith(MAGIC)


def read_sealed(config: Config, store: ModelStore, data: bytes, where: str) -> Learner[Any]:
    """The learner in an artifact that was sealed with a key of ours. Raises as `ModelStore.load` and `read_pickle`."""
    return _ours(config, store.open(config.model.name, data), where)


def read_pickle(config: Config, data: bytes, where: str) -> Learner[Any]:
    """The learner in a pickle, which nobody has signed.

    Raises ModelError for what cannot be trusted, or is not a model of this service: its problem, its features, its
    classes; MemoryError for what takes more memory than there is.
    """
    schema = _schema(config)
    model = config.model
    try:
        found = unpickled(data, config.security.modules)
        known = isinstance(found, Learner)
        positive = model.positive
        learner = found if known else adopt(found, model.problem, schema, positive=positive, seed=model.seed)
    except LearnerError as error:
        raise ModelError(f"{where}: {error}.", "Nothing was stored.") from error
    return _ours(config, learner, where)


def try_out(config: Config, learner: Learner[Any], where: str) -> None:
    """Have a copy of a learner predict and learn made-up events. Raises ModelError when it cannot."""
    copy = _copied(learner, config)
    rows = made_up(config)
    outputs = copy.predict(rows)
    if not all(_sound(output, learner.problem) for output in outputs):
        raise ModelError(
            f"{where}: on events such as events.features describes the model does not give what "
            f"{learner.problem.value} needs.",
            f"It gave {outputs[0]!r}, for example, on {rows[0]!r}.",
        )
    copy.learn(rows, _labels(config, outputs))
    if copy.faults:
        raise ModelError(
            f"{where}: the model fails on events such as events.features describes: {copy.last_fault or copy.faults}.",
            "Train it on these features; texts need an encoder inside the pipeline.",
        )


def _ours(config: Config, learner: Learner[Any], where: str) -> Learner[Any]:
    """A learner, if it is for this service's problem and features. Raises ModelError."""
    model, schema = config.model, _schema(config)
    if (learner.problem, learner.schema) != (model.problem, schema):
        theirs = f"{learner.problem.value} from {_listed(learner.schema)}"
        raise ModelError(
            f"{where}: the model is for {theirs}; {model.name} is {model.problem.value} from {_listed(schema)}.",
            "Push it to the service that it was made for, or train one on these features.",
        )
    return learner


def _schema(config: Config) -> Schema:
    return Schema(tuple(config.events.numeric), tuple(config.events.categorical))


def made_up(config: Config, seed: int = 1) -> list[dict[str, Any]]:
    """Events that the configuration takes: numbers within their bounds, allowed texts."""
    chance = random.Random(seed)
    return [{name: _value(feature, chance) for name, feature in config.events.features.items()} for _ in range(TRIED)]


def _value(feature: Any, chance: random.Random) -> Any:
    if isinstance(feature, NumberFeature):
        low = -1.0 if feature.min is None and feature.max is None else feature.min
        high = 1.0 if feature.min is None and feature.max is None else feature.max
        if low is None:
            low = (high or 0.0) - 1.0
        return chance.uniform(low, low + 1.0 if high is None else high)
    if isinstance(feature, CategoryFeature):
        return chance.choice(feature.values or ["a", "b"])
    return chance.random() < 0.5


def _labels(config: Config, outputs: list[Any]) -> list[Any]:
    match config.model.problem:
        case Problem.BINARY:
            return [n % 2 == 0 for n in range(len(outputs))]
        case Problem.MULTICLASS:
            return [max(output, key=output.__getitem__, default="a") for output in outputs]
        case _:
            return [float(output) for output in outputs]


def _sound(output: Any, problem: Problem) -> bool:
    if problem is Problem.MULTICLASS:
        return all(math.isfinite(share) for share in output.values())
    return math.isfinite(output)


def _copied(learner: Learner[Any], config: Config) -> Learner[Any]:
    """A copy by way of the bytes that would be stored: what cannot be stored is refused here."""
    data = io.BytesIO()
    modules = config.security.modules
    try:
        AllowListPickler(data, modules).dump(learner)
    except Exception as error:
        raise ModelError(f"the model cannot be stored: {error}.", "Name its module in security.modules.") from error
    copy: Learner[Any] = AllowListUnpickler(io.BytesIO(data.getvalue()), modules).load()
    return copy


def _listed(schema: Schema) -> str:
    return ", ".join((*schema.numeric, *schema.categorical))
