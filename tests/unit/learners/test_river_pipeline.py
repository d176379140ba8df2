"""River pipelines by name: River's own results, and nothing but River."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from pydantic import ValidationError
from river import compose, linear_model, optim, preprocessing

from learners.base import LearnerError, Problem, Row, Schema
from learners.registry import build
from learners.river_names import construct, find_class
from learners.river_pipeline import RiverConfig

SCHEMA = Schema(("a", "b"))
SCALER = {"use": "river.preprocessing.StandardScaler"}
LOGISTIC = {"use": "river.linear_model.LogisticRegression"}


def pipeline(*steps: dict[str, Any]) -> RiverConfig:
    return RiverConfig.model_validate({"kind": "river", "pipeline": list(steps)})


def rows_and_labels(n: int) -> list[tuple[dict[str, float], bool]]:
    chance = random.Random(3)
    rows = [{"a": chance.gauss(1, 2), "b": chance.gauss(-5, 9)} for _ in range(n)]
    return [(row, row["a"] + chance.random() > 1) for row in rows]


def test_outputs_are_those_of_a_bare_river_pipeline() -> None:
    learner = build(pipeline(SCALER, LOGISTIC), Problem.BINARY, SCHEMA)
    bare = compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    for turn, (row, label) in enumerate(rows_and_labels(300)):
        if turn:
            assert learner.predict([row]) == [bare.predict_proba_one(dict(row))[True]]
        learner.learn([row], [label])
        bare.learn_one(dict(row), label)


def test_nested_parameters_reach_the_estimator() -> None:
    sgd = {"use": "river.optim.SGD", "with": {"lr": {"use": "river.optim.schedulers.Optimal", "with": {"loss": {
        "use": "river.optim.losses.Log"}}}}}  # fmt: skip
    made = construct({**LOGISTIC, "with": {"optimizer": sgd, "l2": 0.5}}, SCHEMA, 0, "here")
    assert made.l2 == 0.5
    assert isinstance(made.optimizer.lr, optim.schedulers.Optimal)


@pytest.mark.parametrize(
    ("last", "settings"),
    [
        ({**LOGISTIC, "with": {"l2": 0.5}}, {"l1": 0.0, "l2": 0.5, "learning_rate": 0.01}),
        (
            {"use": "river.multiclass.OneVsRestClassifier", "with": {"classifier": LOGISTIC}},
            {"l1": 0.0, "l2": 0.0, "learning_rate": 0.01},
        ),
        ({"use": "river.neighbors.KNNClassifier", "with": {"n_neighbors": 3}}, {"n_neighbors": 3.0}),
        ({"use": "river.naive_bayes.GaussianNB"}, {}),
    ],
)
def test_settings_that_decide_how_closely_it_fits_are_those_of_the_estimator(
    last: dict[str, Any], settings: dict[str, float]
) -> None:
    assert build(pipeline(SCALER, last), Problem.BINARY, SCHEMA).regularization() == settings


def test_a_seed_left_out_is_the_learners() -> None:
    forest = {"use": "river.forest.ARFClassifier", "with": {"n_models": 1}}
    assert construct(forest, SCHEMA, 42, "here").seed == 42
    assert construct({**forest, "with": {"seed": 7}}, SCHEMA, 42, "here").seed == 7


def test_unnamed_parameters_reach_the_estimator() -> None:
    assert construct({"use": "river.compose.Select", "args": ["a", "b"]}, SCHEMA, 0, "here").keys == {"a", "b"}


def test_texts_are_handled_by_driftlines_own_transformer() -> None:
    schema = Schema(("a",), ("c",))
    learner = build(pipeline({"use": "learners.ScaleAndFlag"}, LOGISTIC), Problem.BINARY, schema)
    rows: list[Row] = [{"a": float(i % 5), "c": "xy"[i % 2]} for i in range(400)]
    learner.learn(rows, [i % 2 == 0 for i in range(400)])
    x, y = learner.predict([{"a": 2.0, "c": "x"}, {"a": 2.0, "c": "y"}])
    assert x > 0.6 > 0.4 > y


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "sklearn.linear_model.LogisticRegression",
        "river",
        "river.linear_model",
        "river.linear_model.LogisticRegression.__init__",
        "river.linear_model.__builtins__",
        "river.linear_model.LogisticRegression.learn_one",
        "river.linear_model.log_reg.typing",
        "river.linear_model.base.functools",
        "river.utils.math.Callable",
        "river.utils.random.poisson",
        "river.base.Estimator",
        "river.datasets.Phishing",
        "river.stream.Cache",
        "river.compat.River2SKLClassifier",
        "river._river_rust.vectordict.VectorDict",
        "river.preprocessing.importlib.Importer",
        "river.preprocessing.os.System",
        "river.linear_model.NoSuchModel",
        "river..linear_model.LogisticRegression",
        "river.linear_model.LogisticRegression\n",
        "learners.unpickle.AllowListUnpickler",
        "learners.prepare.Encoder",
        "detectors.base.Reading",
        "",
    ],
)
def test_anything_but_a_public_class_of_river_is_refused(name: str) -> None:
    with pytest.raises(LearnerError, match=r"^here\.use: ") as refused:
        construct({"use": name}, SCHEMA, 0, "here")
    assert "River has no" in str(refused.value) or "expected a class of River" in str(refused.value)


def test_a_refused_name_is_not_imported(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted_estimators.py").write_text("class Model: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LearnerError):
        find_class("planted_estimators.Model", "here")
    assert "planted_estimators" not in sys.modules


def test_an_abstract_class_is_refused() -> None:
    with pytest.raises(LearnerError, match="is abstract"):
        find_class("river.optim.losses.BinaryLoss", "here")


def test_a_misspelt_name_lists_what_there_is() -> None:
    with pytest.raises(LearnerError, match=r"here\.use: River has no .*LogisticRegresion.* has .*LogisticRegression"):
        construct({"use": "river.linear_model.LogisticRegresion"}, SCHEMA, 0, "here")


def test_a_function_cannot_be_named_as_a_parameter() -> None:
    made = {"use": "river.compose.FuncTransformer", "with": {"func": {"use": "os.system"}}}
    with pytest.raises(LearnerError, match=r"here\.with\.func\.use: got 'os\.system'"):
        construct(made, SCHEMA, 0, "here")


def test_a_wrong_parameter_is_refused_when_the_configuration_is_read() -> None:
    with pytest.raises(ValidationError, match=r"pipeline\[1\]\.with\.l3: .* has no such parameter; it has .*l2.*"):
        pipeline(SCALER, {**LOGISTIC, "with": {"l3": 1}})


def test_a_wrong_value_is_refused_when_the_configuration_is_read() -> None:
    step = {"use": "river.linear_model.LogisticRegression", "with": {"l1": 1, "l2": 1}}
    with pytest.raises(ValidationError, match=r"pipeline\[0\]: .* refused its parameters: The joint use"):
        pipeline(step)


def test_a_value_of_the_wrong_type_is_refused_before_the_stream_starts() -> None:
    config = pipeline(SCALER, {**LOGISTIC, "with": {"optimizer": {"use": "river.optim.SGD", "with": {"lr": "fast"}}}})
    with pytest.raises(LearnerError, match="do not work on a, b: AttributeError"):
        build(config, Problem.BINARY, SCHEMA)


def test_a_classifier_is_refused_for_regression() -> None:
    with pytest.raises(LearnerError, match=r"pipeline\[1\]\.use: .* is no regressor, which regression needs"):
        build(pipeline(SCALER, LOGISTIC), Problem.REGRESSION, SCHEMA)


def test_a_binary_classifier_is_refused_for_more_classes_with_the_cure() -> None:
    with pytest.raises(LearnerError, match=r"only two classes apart; wrap it: .*OneVsRestClassifier"):
        build(pipeline(SCALER, LOGISTIC), Problem.MULTICLASS, SCHEMA)


def test_a_classifier_before_the_last_step_is_refused() -> None:
    with pytest.raises(LearnerError, match=r"pipeline\[0\]\.use: .* is no transformer"):
        build(pipeline(LOGISTIC, LOGISTIC), Problem.BINARY, SCHEMA)


def test_texts_into_a_step_for_numbers_are_refused_before_the_stream_starts() -> None:
    with pytest.raises(LearnerError, match=r"do not work on a and the texts c: TypeError.*ScaleAndFlag"):
        build(pipeline(SCALER, LOGISTIC), Problem.BINARY, Schema(("a",), ("c",)))


def test_a_classifier_without_probabilities_gives_its_vote() -> None:
    voting = {"use": "river.ensemble.VotingClassifier", "with": {"models": [LOGISTIC, LOGISTIC, LOGISTIC]}}
    learner = build(pipeline(SCALER, voting), Problem.BINARY, SCHEMA)
    learner.learn([{"a": 1.0}, {"a": -1.0}] * 20, [True, False] * 20)
    assert learner.predict([{"a": 1.0}, {"a": -1.0}]) == [1.0, 0.0]


def test_a_row_that_an_estimator_chokes_on_is_counted_and_does_not_stop_the_stream() -> None:
    targets = {"use": "river.feature_extraction.TargetAgg", "with": {"by": ["c"], "how": {"use": "river.stats.Mean"}}}
    learner: Any = build(pipeline(targets, LOGISTIC), Problem.BINARY, Schema(("a",), ("c",)))
    learner.learn([{"a": 1.0, "c": "x"}, {"a": 1.0}], [True, True])
    known, choked = learner.predict([{"a": 1.0, "c": "x"}, {"a": 2.0}])
    assert known > choked == 0.5
    assert (learner.faults, learner.last_fault) == (2, "KeyError: 'c'")


def test_a_pipeline_that_could_not_be_stored_is_refused_before_the_stream_starts() -> None:
    topics = {"use": "river.preprocessing.LDA", "with": {"n_components": 2}}
    with pytest.raises(LearnerError, match=r"could not be stored: it names numpy\.ones"):
        build(pipeline(topics, LOGISTIC), Problem.BINARY, SCHEMA)
