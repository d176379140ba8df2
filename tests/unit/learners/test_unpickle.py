"""The unpickler lets models in and nothing else."""

from __future__ import annotations

import builtins
import functools
import importlib
import io
import operator
import os
import pickle
import random
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learners.base import Problem, Schema
from learners.river_names import find_class
from learners.trees import HoeffdingTree, HoeffdingTreeConfig
from learners.unpickle import AllowListPickler, AllowListUnpickler, Refused, resolve


def river(name: str, *unnamed: Any, **parameters: Any) -> Any:
    """An object of one of River's classes."""
    return find_class(f"river.{name}", "test")(*unnamed, **parameters)


REBUILD: Any = importlib.import_module("msgspec._utils").rebuild
"""What pickled records are made with."""


class Reduced:
    """Pickles as a call of anything with any arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def load(data: bytes, extra: tuple[str, ...] = ()) -> Any:
    return AllowListUnpickler(io.BytesIO(data), extra).load()


def stack_global(module: str, name: str, *arguments: bytes) -> bytes:
    """A protocol 4 pickle that looks up a name, in dotted form too, and calls it with ready-made arguments."""

    def text(value: str) -> bytes:
        return b"\x8c" + bytes([len(value)]) + value.encode()

    return b"\x80\x04" + text(module) + text(name) + b"\x93(" + b"".join(arguments) + b"tR."


def attacks(witness: Path) -> dict[str, bytes]:
    """Pickles that would create the witness file."""
    touch = f"touch {witness}"
    code = f"open({str(witness)!r}, 'w').close()"
    as_text = b"\x8c" + bytes([len(touch)]) + touch.encode()
    made: dict[str, Any] = {
        "os.system": Reduced(os.system, touch),
        "subprocess.Popen": Reduced(subprocess.Popen, ["touch", str(witness)]),
        "subprocess.check_output": Reduced(subprocess.check_output, ["touch", str(witness)]),
        "builtins.eval": Reduced(builtins.eval, code),
        "builtins.exec": Reduced(builtins.exec, code),
        "builtins.open": Reduced(builtins.open, str(witness), "w"),
        "builtins.__import__": Reduced(builtins.__import__, "os"),
        "builtins.map": Reduced(list, Reduced(map, os.system, [touch])),
        "builtins.getattr of a class": Reduced(
            getattr, find_class("river.linear_model.LogisticRegression", ""), "__init__"
        ),
        "builtins.getattr of a private": Reduced(getattr, river("linear_model.LogisticRegression"), "__reduce_ex__"),
        "functools.partial": Reduced(functools.partial(os.system, touch)),
        "msgspec._utils.rebuild": Reduced(REBUILD, functools.partial, {"func": os.system, "cmd": touch}),
        "functools.reduce": Reduced(functools.reduce, os.system, [touch], ""),
        "operator.attrgetter": Reduced(operator.attrgetter, "system"),
        "operator.methodcaller": Reduced(operator.methodcaller("touch"), witness),
        "pathlib.Path.touch": Reduced(Path.touch, witness),
        "random.Random, subclassed": Reduced(random.SystemRandom),
        "river's function transformer": river("compose.FuncTransformer", os.system),
    }
    pickles = {name: pickle.dumps(attack, protocol=5) for name, attack in made.items()}
    pickles["protocol 0"] = f"cos\nsystem\n(S'{touch}'\ntR.".encode()
    pickles["posix.system"] = f"cposix\nsystem\n(S'{touch}'\ntR.".encode()
    pickles["protocol 4"] = stack_global("os", "system", as_text)
    for module, name in [
        ("river.base.estimator", "os.system"),
        ("river.datasets.base", "os.system"),
        ("river.datasets.base", "shutil.rmtree"),
        ("river.utils", "os"),
        ("river", "importlib.import_module"),
        ("river.stream.cache", "os.remove"),
        ("river.stream.cache", "Cache"),
        ("river.datasets.phishing", "Phishing"),
        ("river.compat", "convert_sklearn_to_river"),
        ("river.linear_model.log_reg", "linear_model.base.functools.partial"),
        ("river.linear_model.log_reg", "LogisticRegression.__init__.__globals__"),
        ("river.linear_model.log_reg", "LogisticRegression.__class__"),
        ("river.linear_model.log_reg", "LogisticRegression.__subclasses__"),
        ("river.linear_model.log_reg", "typing"),
        ("river.linear_model", "LogisticRegression"),
        ("river..linear_model", "LogisticRegression"),
        ("learners.unpickle", "importlib.import_module"),
        ("learners.unpickle", "resolve"),
        ("learners.unpickle", "_bind"),
        ("learners.river_names", "importlib"),
        ("learners.artifacts", "open_sealed"),
        ("detectors.base", "math"),
        ("stream.records_of_others", "Anything"),
        ("stream.kafka.consumer", "Consumer"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy.f2py.crackfortran", "myeval"),
        ("numpy", "load"),
        ("numpy", "fromfile"),
        ("collections", "abc.sys.modules"),
        ("collections", "_sys"),
        ("random", "_os.system"),
        ("copy", "copyreg"),
        ("copyreg", "add_extension"),
        ("builtins", "object"),
        ("pickle", "loads"),
        ("marshal", "loads"),
        ("types", "FunctionType"),
        ("types", "CodeType"),
        ("code", "InteractiveInterpreter"),
        ("ctypes", "CDLL"),
        ("importlib", "import_module"),
        ("logging.config", "valueAsCode"),
        ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
        ("webbrowser", "open"),
        ("pip._internal.cli.main", "main"),
    ]:
        pickles[f"{module}:{name}"] = stack_global(module, name, as_text)
    pickles["persistent id"] = b"\x80\x04\x8c\x01x\x51."
    pickles["extension code"] = b"\x80\x04\x82\x01."
    return pickles


@pytest.mark.parametrize("name", sorted(attacks(Path("witness"))))
def test_an_attack_is_refused_and_has_no_effect(name: str, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    attack = attacks(witness)[name]
    with pytest.raises((Refused, ValueError)):
        load(attack)
    assert not witness.exists()


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Python's own unpickler falls for them; otherwise the test above would prove nothing."""
    witness = tmp_path / "witness"
    for name in ("os.system", "builtins.eval", "protocol 0", "protocol 4", "functools.partial"):
        pickle.loads(attacks(witness)[name])
        assert witness.exists(), name
        witness.unlink()


def test_a_module_that_is_not_let_in_is_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted_module.py").write_text("class Model: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Refused, match=r"planted_module\.Model"):
        load(stack_global("planted_module", "Model"))
    assert "planted_module" not in sys.modules


def test_classes_of_an_extra_module_are_let_in_but_nothing_else_of_it() -> None:
    counted = pickle.dumps(Fraction(1, 3))
    with pytest.raises(Refused, match=r"fractions\.Fraction"):
        load(counted)
    assert load(counted, ("fractions",)) == Fraction(1, 3)
    with pytest.raises(Refused, match=r"fractions\.Decimal"):
        load(stack_global("fractions", "Decimal"), ("fractions",))


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
