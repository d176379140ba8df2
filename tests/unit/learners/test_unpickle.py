"""The unpickler lets models in and nothing else."""

from __future__ import annotations

import io
import os
import pickle
import random
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learners.base import Problem, Schema
from learners.trees import HoeffdingTree, HoeffdingTreeConfig
from learners.unpickle import AllowListPickler, Refused, resolve
from tests.unit.learners.crafted_pickles import REBUILD, Reduced, called, load, river


def test_a_module_that_is_not_let_in_is_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted_module.py").write_text("class Model: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Refused, match=r"planted_module\.Model"):
        load(called("planted_module", "Model"))
    assert "planted_module" not in sys.modules


def test_classes_of_an_extra_module_are_let_in_but_nothing_else_of_it() -> None:
    counted = pickle.dumps(Fraction(1, 3))
    with pytest.raises(Refused, match=r"fractions\.Fraction"):
        load(counted)
    assert load(counted, ("fractions",)) == Fraction(1, 3)
    with pytest.raises(Refused, match=r"fractions\.Decimal"):
        load(called("fractions", "Decimal"), ("fractions",))


def trained(model: Any, target: Callable[[float], Any]) -> Any:
    chance = random.Random(1)
    for _ in range(120):
        x = {"a": chance.random(), "b": chance.random(), "c": chance.randrange(3)}
        model.learn_one(x, target(x["a"]))
    return model


def above(a: float) -> bool:
    return a > 0.5


REGRESSOR_OF_SLOTS: dict[str, Any] = {"splitter": river("tree.splitter.QOSplitter", 0.1), "grace_period": 50}


@pytest.mark.parametrize(
    "model",
    [
        river("preprocessing.StandardScaler") | river("linear_model.LogisticRegression"),
        river("naive_bayes.GaussianNB"),
        river("linear_model.SoftmaxRegression"),
        river("linear_model.PAClassifier"),
        river("tree.HoeffdingAdaptiveTreeClassifier", nominal_attributes=["c"], seed=1),
        river("forest.ARFClassifier", n_models=2, nominal_attributes=["c"], seed=1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_river_classifiers_come_back_as_they_were(model: Any) -> None:
    model = trained(model, above)
    back = load(pickle.dumps(model))
    x = {"a": 0.3, "b": 0.4, "c": 1}
    assert back.predict_one(x) == model.predict_one(x)


@pytest.mark.parametrize(
    "model",
    [
        river("tree.HoeffdingTreeRegressor", **REGRESSOR_OF_SLOTS),
        river("tree.HoeffdingAdaptiveTreeRegressor", seed=1, **REGRESSOR_OF_SLOTS),
        river("forest.ARFRegressor", n_models=2, seed=1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_river_regressors_come_back_as_they_were(model: Any) -> None:
    model = trained(model, lambda a: 3.0 * a)
    back = load(pickle.dumps(model))
    x = {"a": 0.3, "b": 0.4, "c": 1}
    assert back.predict_one(x) == model.predict_one(x)


@pytest.mark.parametrize(
    "part",
    [
        river("drift.ADWIN"),
        river("drift.PageHinkley"),
        river("drift.KSWIN", seed=1),
        river("drift.binary.DDM"),
        river("drift.binary.EDDM"),
        river("drift.binary.HDDMA"),
        river("drift.binary.HDDMW"),
        river("stats.Quantile"),
        river("stats.EWVar"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_river_detectors_and_statistics_come_back(part: Any) -> None:
    for value in (0, 1, 1, 0) * 20:
        part.update(value)
    back = load(pickle.dumps(part))
    assert pickle.dumps(back) == pickle.dumps(part)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, "x", b"y", (1,), {3}, frozenset({4}), 1j]},
        OrderedDict(a=1),
        Counter("aab"),
        deque([1, 2], maxlen=3),
        defaultdict(float, a=1.0),
        np.float64(0.5),
        Problem.BINARY,
        Schema(("a",), ("b",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_values_come_back(value: Any) -> None:
    assert load(pickle.dumps(value)) == value


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState], ids=["Generator", "RandomState"])
def test_numpy_generators_continue_where_they_were(make: Callable[[int], Any]) -> None:
    generator = make(7)
    back = load(pickle.dumps(generator))
    assert back.normal() == generator.normal()


def test_numpy_arrays_come_back() -> None:
    for array in (np.arange(5.0), np.arange(8)[::2], np.array(["a", None], dtype=object)):
        np.testing.assert_array_equal(load(pickle.dumps(array)), array)


def test_what_builds_records_builds_nothing_else() -> None:
    with pytest.raises(Refused, match=r"OrderedDict.* is no record"):
        load(pickle.dumps(Reduced(REBUILD, OrderedDict, {"a": 1})))


def test_the_pickler_refuses_what_the_unpickler_would() -> None:
    function: Any = river("compose.FuncTransformer", os.system)
    stored: list[Any] = [function, Reduced(os.system, "true"), [Path.touch], defaultdict(os.getcwd)]
    for attack in stored:
        with pytest.raises(Refused):
            AllowListPickler(io.BytesIO()).dump(attack)


def test_the_pickler_lets_pass_what_the_unpickler_does() -> None:
    tree_learner = HoeffdingTree(HoeffdingTreeConfig(), Problem.REGRESSION, Schema(("a",)))
    tree_learner.learn([{"a": 1.0}], [2.0])
    words = river("feature_extraction.BagOfWords", lowercase=True)
    words.learn_one("some words")
    for model in (tree_learner, words):
        written = io.BytesIO()
        AllowListPickler(written).dump(model)
        assert type(load(written.getvalue())) is type(model)


def test_a_static_method_of_a_river_class_is_let_in_by_its_full_name_only() -> None:
    splitter = "river.tree.splitter.nominal_splitter_reg"
    assert callable(resolve(splitter, "NominalSplitterReg._update_estimator_univariate"))
    with pytest.raises(Refused):
        resolve(splitter, "NominalSplitterReg.update")
