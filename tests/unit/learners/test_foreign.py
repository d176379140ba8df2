"""Models that were trained elsewhere, behind the learner's interface."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from river import anomaly, base, compose, ensemble, linear_model, naive_bayes, preprocessing, tree

from learners.base import Learner, LearnerError, Problem, Row, Schema
from learners.foreign import adopt, unpickled
from learners.unpickle import AllowListPickler

SCHEMA = Schema(("a", "b"))
ROWS: list[Row] = [{"a": (n % 7) - 3.0, "b": float(n % 5)} for n in range(60)]
LABELS = [n % 7 > 3 for n in range(60)]


class Centroids:
    """A classifier with scikit-learn's interface: the class whose mean is nearest. Knows what it was fitted on.

    A table with names is columns by name.
    """

    def fit(self, rows: Any, labels: Any) -> Centroids:
        if isinstance(rows, Mapping):
            self.feature_names_in_ = np.array(list(rows), dtype=object)
            rows = list(zip(*rows.values(), strict=True))
        rows, labels = np.asarray(rows, dtype=float), np.asarray(labels)
        self.classes_ = np.unique(labels)
        self.n_features_in_ = rows.shape[1]
        self._means = np.array([rows[labels == one].mean(axis=0) for one in self.classes_])
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"max_depth": 3, "tree": self, "tree__max_depth": 5, "tree__n_neighbors": 7} if deep else {}

    def predict_proba(self, rows: Any) -> Any:
        rows = np.asarray(rows)
        if np.isnan(rows).any():
            raise ValueError("Input X contains NaN.")
        near = np.exp(-np.linalg.norm(rows[:, None, :] - self._means[None], axis=2))
        return near / near.sum(axis=1, keepdims=True)

    def predict(self, rows: Any) -> Any:
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]


class Counting(Centroids):
    """One that goes on learning, as scikit-learn has it: told all classes with each call."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[float], Any, list[Any]]] = []

    def partial_fit(self, rows: Any, labels: Any, classes: Any) -> None:
        self.seen.append((rows[0].tolist(), labels[0].item(), list(classes)))


class Voting:
    """A classifier with scikit-learn's interface that knows no probabilities."""

    n_features_in_ = 2

    def __init__(self, model: Centroids) -> None:
        self.classes_ = model.classes_
        self._model = model

    def predict(self, rows: Any) -> Any:
        return self._model.predict(rows)


class Line:
    """A regressor with scikit-learn's interface."""

    n_features_in_ = 2

    def predict(self, rows: Any) -> Any:
        return np.asarray(rows) @ np.array([2.0, 1.0])


def table(rows: list[Row]) -> list[list[Any]]:
    return [[row["a"], row["b"]] for row in rows]


def named(first: str, second: str) -> dict[str, list[Any]]:
    """The rows as a table with names: the columns of these, in this order; one that there is not is as `b`."""
    return {name: [row.get(name, row["b"]) for row in ROWS] for name in (first, second)}


def trained(model: Any, labels: list[Any] | None = None) -> Any:
    for row, label in zip(ROWS, labels or LABELS, strict=True):
        model.learn_one(dict(row), label)
    return model


def scaled() -> Any:
    return compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())


def bayes() -> Any:
    kind: Any = naive_bayes.GaussianNB
    return kind()


def in_binary(model: Any, **more: Any) -> Learner[Any]:
    return adopt(model, Problem.BINARY, SCHEMA, **more)


def test_a_river_pipeline_predicts_and_goes_on_learning_as_it_did_elsewhere() -> None:
    here, elsewhere = in_binary(trained(scaled())), trained(scaled())

    first = here.predict(ROWS)
    here.learn(ROWS, [not label for label in LABELS])
    for row, label in zip(ROWS, LABELS, strict=True):
        elsewhere.learn_one(dict(row), not label)

    assert first == [trained(scaled()).predict_proba_one(dict(row))[True] for row in ROWS]
    assert here.predict(ROWS) == [elsewhere.predict_proba_one(dict(row))[True] for row in ROWS]
    assert here.recipe == "foreign: StandardScaler | LogisticRegression"


def test_a_model_whose_classes_are_named_is_understood_by_the_positive_one() -> None:
    late = ["late" if label else "on time" for label in LABELS]
    model = trained(bayes(), late)
    learner = in_binary(model, positive="late")

    assert learner.predict(ROWS) == pytest.approx([model.predict_proba_one(dict(row))["late"] for row in ROWS])
    learner.learn(ROWS[:5], [True] * 5)
    assert set(model.predict_proba_one(dict(ROWS[0]))) == {"late", "on time"}  # it learned its own names


def test_classes_of_which_none_is_true_are_refused() -> None:
    model = trained(bayes(), ["spam" if label else "ham" for label in LABELS])
    with pytest.raises(LearnerError, match="'ham', 'spam' apart; expected two classes, of which one is true"):
        in_binary(model)


def test_classes_of_which_one_is_true_and_several_are_not_are_refused() -> None:
    model = trained(bayes(), [["late", "early", "on time"][n % 3] for n in range(60)])
    with pytest.raises(LearnerError, match="'on time' apart; expected two classes"):
        in_binary(model, positive="late")


def test_a_model_that_has_met_nothing_but_false_learns_what_is_true() -> None:
    learner = in_binary(trained(bayes(), [False] * 60))
    before = learner.predict(ROWS)

    learner.learn(ROWS, LABELS)

    assert before == [0.0] * 60
    assert max(learner.predict(ROWS)) > 0.5


def test_models_that_know_no_probabilities_give_their_vote() -> None:
    members: list[base.Classifier] = [linear_model.LogisticRegression() for _ in range(3)]
    river = trained(compose.Pipeline(preprocessing.StandardScaler(), ensemble.VotingClassifier(members)))
    fitted = Voting(Centroids().fit(table(ROWS), LABELS))

    assert in_binary(river).predict(ROWS) == [float(river.predict_one(dict(row))) for row in ROWS]
    assert in_binary(fitted).predict(ROWS) == fitted.predict(table(ROWS)).astype(float).tolist()


def test_a_multiclass_model_speaks_in_its_own_names_and_learns_new_ones() -> None:
    model = trained(tree.HoeffdingTreeClassifier(), ["xyz"[n % 3] for n in range(60)])
    learner = adopt(model, Problem.MULTICLASS, SCHEMA)

    assert set(learner.predict(ROWS[:1])[0]) == {"x", "y", "z"}
    learner.learn(ROWS[:1], ["new"])
    assert set(learner.predict(ROWS[:1])[0]) == {"x", "y", "z", "new"}


def test_a_multiclass_model_whose_classes_are_numbers_keeps_to_them() -> None:
    model = trained(tree.HoeffdingTreeClassifier(), [n % 3 for n in range(60)])
    learner = adopt(model, Problem.MULTICLASS, SCHEMA)
    before = learner.predict(ROWS)

    learner.learn(ROWS[:1], ["new"])
    unmoved = learner.predict(ROWS)
    learner.learn(ROWS[:1], ["2"])

    assert set(before[0]) == {"0", "1", "2"}
    assert unmoved == before
    assert learner.predict(ROWS) != before
    assert learner.faults == 0


def test_a_fresh_one_is_untrained_and_shares_nothing_with_the_trained_one() -> None:
    learner = adopt(trained(tree.HoeffdingTreeClassifier(), ["x", "y"] * 30), Problem.MULTICLASS, SCHEMA)
    before = learner.predict(ROWS)
    fresh = learner.fresh(7)

    assert fresh.predict(ROWS[:1]) == [{}]
    fresh.learn(ROWS, ["z"] * 60)
    assert learner.predict(ROWS) == before
    assert fresh.recipe == learner.recipe


@pytest.mark.parametrize(
    ("model", "problem", "said"),
    [
        (linear_model.LinearRegression(), Problem.BINARY, "LinearRegression is no classifier, which binary needs"),
        (linear_model.LogisticRegression(), Problem.REGRESSION, "is no regressor, which regression needs"),
        (linear_model.LogisticRegression(), Problem.MULTICLASS, "tells only two classes apart"),
        (anomaly.HalfSpaceTrees(), Problem.BINARY, "is no classifier"),
        ({"weights": [1.0]}, Problem.BINARY, "a dict is no model: expected an estimator"),
        (Line(), Problem.BINARY, "a Line is no classifier: this is binary"),
        (Centroids().fit(table(ROWS), LABELS), Problem.REGRESSION, "a Centroids is no regressor"),
        (Centroids(), Problem.BINARY, "is not fitted"),
        (Counting(), Problem.MULTICLASS, "is not fitted"),
        (
            Centroids().fit([[1.0], [2.0]], [True, False]),
            Problem.BINARY,
            "takes 1 features; events.features declares 2",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_model_of_this_problem_is_refused(model: Any, problem: Problem, said: str) -> None:
    with pytest.raises(LearnerError, match=said):
        adopt(model, problem, SCHEMA)


def test_a_model_of_other_features_is_refused_by_their_names() -> None:
    model = scaled()
    model.learn_one({"amount": 1.0, "a": 2.0}, True)
    with pytest.raises(LearnerError, match=r"trained on amount, which events\.features does not declare; it has a, b"):
        in_binary(model)
    with pytest.raises(LearnerError, match="takes amount; the numbers that"):
        in_binary(Centroids().fit(named("a", "amount"), LABELS))


def test_a_model_with_the_interface_of_scikit_learn_takes_its_own_columns_in_its_own_order() -> None:
    swapped = Centroids().fit(named("b", "a"), LABELS)
    straight = Centroids().fit(table(ROWS), LABELS)

    assert in_binary(swapped).predict(ROWS) == pytest.approx(in_binary(straight).predict(ROWS))
    assert in_binary(straight).predict(ROWS) == pytest.approx(straight.predict_proba(table(ROWS))[:, 1].tolist())


def test_one_that_goes_out_and_comes_back_takes_the_same_columns() -> None:
    learner = in_binary(Centroids().fit(named("b", "a"), LABELS))
    again = in_binary(learner.bare)

    assert again.predict(ROWS) == learner.predict(ROWS)
    assert learner.fresh(1).bare.feature_names_in_.tolist() == ["b", "a"]
    assert not hasattr(in_binary(Centroids().fit(table(ROWS), LABELS)).bare, "feature_names_in_")


def test_one_that_cannot_learn_stays_as_it_is_and_a_row_that_it_cannot_take_is_counted() -> None:
    learner = in_binary(Centroids().fit(table(ROWS), LABELS))
    before = learner.predict(ROWS)

    learner.learn(ROWS, [not label for label in LABELS])

    assert learner.predict(ROWS) == before
    assert learner.faults == 0
    assert learner.predict([{"a": None, "b": 1.0}]) == [0.5]
    assert learner.faults == 1


def test_a_fresh_one_that_cannot_learn_stays_untrained_and_fails_at_nothing() -> None:
    fresh = in_binary(Centroids().fit(table(ROWS), LABELS)).fresh(1)

    fresh.learn(ROWS, LABELS)

    assert list(fresh.prequential(ROWS, LABELS)) == fresh.predict(ROWS) == [0.5] * len(ROWS)
    assert fresh.faults == 0


def test_one_that_goes_on_learning_is_taught_row_by_row_and_told_all_classes() -> None:
    model = Counting()
    model.fit(table(ROWS), [1 if label else 0 for label in LABELS])
    learner = in_binary(model)

    learner.learn(ROWS[:2], [True, False])

    assert model.seen == [([-3.0, 0.0], 1, [0, 1]), ([-2.0, 1.0], 0, [0, 1])]


def test_settings_that_decide_how_closely_it_fits_are_its_own_before_those_of_what_it_wraps() -> None:
    assert in_binary(Centroids().fit(table(ROWS), LABELS)).regularization() == {"max_depth": 3.0, "n_neighbors": 7.0}
    assert adopt(Line(), Problem.REGRESSION, SCHEMA).regularization() == {}


def test_one_that_goes_on_learning_is_not_told_of_classes_that_it_was_not_fitted_on() -> None:
    model = Counting()
    model.fit(table(ROWS), ["xyz"[n % 3] for n in range(60)])
    learner = adopt(model, Problem.MULTICLASS, SCHEMA)

    learner.learn(ROWS[:2], ["new", "y"])

    assert [label for _, label, _ in model.seen] == ["y"]
    assert set(learner.predict(ROWS[:1])[0]) == {"x", "y", "z"}


def test_a_regressor_gives_numbers() -> None:
    assert adopt(Line(), Problem.REGRESSION, SCHEMA).predict([{"a": 1.0, "b": 3.0}]) == [5.0]


def test_a_pickle_of_river_is_opened_and_what_it_would_run_otherwise_is_not() -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return os.system, ("false",)

    assert isinstance(unpickled(pickle.dumps(scaled())), compose.Pipeline)
    with pytest.raises(LearnerError, match=r"names posix\.system.*security\.modules"):
        unpickled(pickle.dumps(Attack()))
    with pytest.raises(LearnerError, match="not a pickle that can be opened here"):
        unpickled(b"\x93NUMPY")


def test_a_class_of_another_library_needs_its_module_named() -> None:
    data = pickle.dumps(Centroids().fit(table(ROWS), LABELS))
    with pytest.raises(LearnerError, match=f"names {__name__}.Centroids"):
        unpickled(data)
    learner = in_binary(unpickled(data, [__name__]))

    stored = io.BytesIO()
    AllowListPickler(stored, [__name__]).dump(learner)
    assert unpickled(stored.getvalue(), [__name__]).predict(ROWS) == learner.predict(ROWS)
