"""The models that are measured, their stream, and River's own loop over it."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from river import forest, linear_model, preprocessing, tree

from stream.config.model import Config
from stream.testing import small_config

FEATURES = [f"f{i}" for i in range(10)]
SPAN = 100
"""Events that come before their labels: a block of events, then the block of their labels."""

WARM = 0.2
"""Share of the events after which a program counts as warmed up. Trees grow, so everybody is timed on the same ones."""

Rows = list[dict[str, float]]


class Model(NamedTuple):
    """A learner's configuration, the same model in bare River, and how many events are enough to time it."""

    learner: dict[str, Any]
    make: Callable[[], Any]
    events: int


MODELS = {
    "Scaler + LogisticRegression": Model(
        {
            "kind": "river",
            "pipeline": [
                {"use": "river.preprocessing.StandardScaler"},
                {"use": "river.linear_model.LogisticRegression"},
            ],
        },
        lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(),
        150_000,
    ),
    "HoeffdingTree": Model(
        {"kind": "river", "pipeline": [{"use": "river.tree.HoeffdingTreeClassifier"}]},
        tree.HoeffdingTreeClassifier,
        80_000,
    ),
    "ARF(10)": Model(
        {"kind": "river", "pipeline": [{"use": "river.forest.ARFClassifier", "with": {"n_models": 10, "seed": 1}}]},
        lambda: forest.ARFClassifier(n_models=10, seed=1),
        8_000,
    ),
}


def rows(n: int) -> tuple[Rows, list[bool]]:
    """`n` rows of ten standard normal features, and whether the first three with some noise add up to more than 0."""
    rng = random.Random(42)
    xs = [{name: rng.gauss(0, 1) for name in FEATURES} for _ in range(n)]
    return xs, [x["f0"] + x["f1"] + x["f2"] + rng.gauss(0, 0.5) > 0 for x in xs]


def configuration(learner: dict[str, Any], *, inline: bool = False, **overrides: Any) -> Config:
    """A service on ten numeric features with KS on all of them and ADWIN on the errors; labels may come inline."""
    features = {name: {"type": "number"} for name in FEATURES}
    return small_config(
        {
            "events": {"time": "ts", "features": features, "label": "label" if inline else None},
            "model": {"learner": learner},
            "detectors": {"concept": [{"kind": "adwin"}], "data": [{"kind": "ks"}]},
            "adaptation": {"policy": "keep_learning"},  # a challenger would be twice the model, not overhead
            **overrides,
        }
    )


def bare(model: Any, xs: Rows, ys: list[bool]) -> float:
    """Events per second of River's own loop, once it is warm."""
    gc.collect()
    warm = int(WARM * len(xs))
    for n, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if n == warm:
            started = time.perf_counter()
        model.predict_proba_one(x)
        model.learn_one(x, y)
    return (len(xs) - warm) / (time.perf_counter() - started)
