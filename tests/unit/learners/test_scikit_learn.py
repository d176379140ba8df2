"""scikit-learn's own models. Nothing else of Driftline needs it."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from learners.base import Problem, Row, Schema
from learners.foreign import adopt, unpickled

ROWS: list[Row] = [{"a": (n % 7) - 3.0, "b": float(n % 5)} for n in range(60)]
TABLE = [[row["a"], row["b"]] for row in ROWS]
LABELS = [n % 7 > 3 for n in range(60)]


def models() -> dict[str, tuple[Any, list[str]]]:
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = "sklearn.linear_model._logistic"
    trees = ["sklearn.tree._classes", "sklearn.tree._tree"]
    loss = ["sklearn._loss._loss", "sklearn._loss.link", "sklearn._loss.loss"]
    return {
        "sgd": (SGDClassifier(loss="log_loss"), ["sklearn.linear_model._stochastic_gradient", "sklearn._loss._loss"]),
        "pipeline": (
            make_pipeline(StandardScaler(), LogisticRegression()),
            ["sklearn.pipeline", "sklearn.preprocessing._data", linear],
        ),
        "forest": (RandomForestClassifier(5, random_state=1), ["sklearn.ensemble._forest", *trees]),
        "boosting": (
            GradientBoostingClassifier(n_estimators=5),
            ["sklearn.ensemble._gb", "sklearn.dummy", *trees, *loss],
        ),
    }


@pytest.mark.parametrize("kind", ["sgd", "pipeline", "forest", "boosting"])
def test_a_fitted_classifier_says_here_what_it_says_there(kind: str) -> None:
    model, modules = models()[kind]
    model.fit(TABLE, LABELS)
    learner = adopt(unpickled(pickle.dumps(model), modules), Problem.BINARY, Schema(("a", "b")))

    assert learner.predict(ROWS) == [model.predict_proba([row])[0][1].item() for row in TABLE]
    assert learner.fresh(1).predict(ROWS[:1]) == [0.5]


def test_a_pipeline_that_goes_out_and_comes_back_takes_the_columns_it_was_fitted_with() -> None:
    model, _ = models()["pipeline"]
    model.fit([[b, a] for a, b in TABLE], LABELS)
    model[0].feature_names_in_ = np.array(["b", "a"], dtype=object)
    learner = adopt(model, Problem.BINARY, Schema(("a", "b")))
    pulled = learner.bare

    assert pulled.feature_names_in_.tolist() == ["b", "a"]
    assert adopt(pulled, Problem.BINARY, Schema(("a", "b"))).predict(ROWS) == learner.predict(ROWS)


def test_one_with_partial_fit_goes_on_learning() -> None:
    model, _ = models()["sgd"]
    learner = adopt(model.fit(TABLE, LABELS), Problem.BINARY, Schema(("a", "b")))

    for _ in range(20):
        learner.learn(ROWS, [not label for label in LABELS])

    right = sum((output > 0.5) != label for output, label in zip(learner.predict(ROWS), LABELS, strict=True))
    assert learner.faults == 0
    assert right > 50


def test_a_fresh_one_draws_from_a_random_state_of_its_own() -> None:
    model, _ = models()["sgd"]
    model.set_params(random_state=np.random.RandomState(3))
    learner = adopt(model.fit(TABLE, LABELS), Problem.BINARY, Schema(("a", "b")))

    assert learner.fresh(1).bare.random_state is not learner.bare.random_state
