"""What is left out of a pickled model is never used, and nothing else is left out."""

from __future__ import annotations

import io
import pickle
import random
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import river
from pydantic import TypeAdapter
from river.proba import Gaussian

from learners import slim
from learners.artifacts import KeyRing, SigningKey, open_sealed, seal
from learners.base import Learner, Problem, Row, Schema
from learners.registry import AnyLearnerConfig, build

KEY = SigningKey("slim", b"a secret that only tests know")
SCHEMA = Schema(numeric=("a", "b", "c"))

GAUSSIAN_MODELS: dict[str, dict[str, Any]] = {
    "hoeffding_tree": {"grace_period": 50},
    "hoeffding_adaptive_tree": {"grace_period": 50},
    "adaptive_random_forest": {"n_models": 3},
    "naive_bayes": {"kind": "river", "pipeline": [{"use": "river.naive_bayes.GaussianNB"}]},
}
"""Learners made of Gaussians."""


class Untouchable(random.Random):
    """A generator that nobody may draw from."""

    def random(self) -> float:
        raise AssertionError("River draws from a Gaussian's generator: learners.slim must no longer leave it out")

    def getrandbits(self, k: int, /) -> int:
        raise AssertionError("River draws from a Gaussian's generator: learners.slim must no longer leave it out")


def make(name: str) -> Learner[Any]:
    config = TypeAdapter(AnyLearnerConfig).validate_python({"kind": name, **GAUSSIAN_MODELS[name]})
    return build(config, Problem.BINARY, SCHEMA, seed=3)


def stream(n: int, seed: int = 5) -> tuple[list[Row], list[Any]]:
    chance = random.Random(seed)
    rows: list[Row] = [{name: chance.gauss(0, 1) for name in "abc"} for _ in range(n)]
    return rows, [row["a"] + 0.3 * row["b"] > 0 for row in rows]  # type: ignore[operator]


def trained(name: str, n: int = 400) -> Learner[Any]:
    learner = make(name)
    learner.learn(*stream(n))
    return learner


def parts_of(obj: Any, kind: type) -> list[Any]:
    """Everything of one exact type that a model holds, each once, in the order in which it is pickled."""
    found: dict[int, Any] = {}

    class Finder(pickle.Pickler):
        def persistent_id(self, part: Any) -> None:
            if type(part) is kind:
                found[id(part)] = part

    Finder(io.BytesIO()).dump(obj)
    return list(found.values())


def gaussians(obj: Any) -> list[Any]:
    return parts_of(obj, Gaussian)


def generators(obj: Any) -> list[random.Random]:
    """The generators of a model that are not a Gaussian's."""
    idle = {id(gaussian._rng) for gaussian in gaussians(obj)}
    return [generator for generator in parts_of(obj, random.Random) if id(generator) not in idle]


def observed(make_one: Callable[[], Any], *values: float) -> Any:
    distribution = make_one()
    for value in values:
        distribution.update(value)
    return distribution


def reopened(obj: Any) -> Any:
    return open_sealed(seal(obj, key=KEY, metadata={}), keys=KeyRing([KEY]))[1]


@pytest.fixture
def no_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on all generators of distributions are such that nobody may draw from them."""
    monkeypatch.setattr("river.proba.base.random", SimpleNamespace(Random=Untouchable))


@pytest.mark.usefixtures("no_draws")
@pytest.mark.parametrize("name", GAUSSIAN_MODELS)
def test_no_model_draws_from_the_generators_that_are_left_out(name: str) -> None:
    learner = trained(name)
    learner.predict(stream(100, seed=6)[0])
    held = gaussians(learner)
    assert len(held) > 2
    assert all(gaussian.seed is None and type(gaussian._rng) is Untouchable for gaussian in held)


@pytest.mark.usefixtures("no_draws")
def test_the_test_above_would_notice() -> None:
    with pytest.raises(AssertionError, match="must no longer leave it out"):
        observed(Gaussian, 1.0, 2.0).sample()


def test_river_samples_only_distributions_that_it_gave_a_seed() -> None:
    root = Path(river.__file__).parent
    callers = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\.sample\(\)", line) and not line.lstrip().startswith((">>>", "..."))
    }
    assert callers == {"bandit/thompson.py"}, "see whether the others sample Gaussians without a seed"
    source = (root / "bandit" / "thompson.py").read_text(encoding="utf-8")
    assert 'self.reward_obj.clone({"seed": self._rng' in source


def test_a_gaussian_uses_its_generator_to_sample_and_for_nothing_else() -> None:
    members = {name: member for base in reversed(Gaussian.__mro__) for name, member in vars(base).items()}
    codes = {name: getattr(getattr(member, "fget", member), "__code__", None) for name, member in members.items()}
    assert {name for name, code in codes.items() if code and "_rng" in code.co_names} == {"sample"}


def test_gaussians_of_the_installed_river_are_known() -> None:
    assert slim.is_known()


@pytest.mark.parametrize("name", GAUSSIAN_MODELS)
def test_every_number_of_every_gaussian_comes_back_bit_for_bit(name: str) -> None:
    learner = trained(name)
    before, after = gaussians(learner), gaussians(reopened(learner))
    assert len(before) > 2

    def numbers(gaussian: Gaussian) -> tuple[Any, ...]:
        variance = gaussian._var
        return gaussian.seed, variance.ddof, variance._S.hex(), variance.mean.n, variance.mean._mean.hex()

    assert [numbers(gaussian) for gaussian in after] == [numbers(gaussian) for gaussian in before]


def test_a_gaussian_with_a_seed_keeps_its_generator() -> None:
    original = observed(lambda: Gaussian(seed=4), 1.0, 3.0)  # type: ignore[no-untyped-call]
    original.sample()
    back = reopened(original)
    assert [back.sample() for _ in range(5)] == [original.sample() for _ in range(5)]


def test_a_gaussian_without_a_seed_can_still_be_sampled() -> None:
    assert -10.0 < reopened(observed(Gaussian, 1.0, 2.0, 3.0)).sample() < 14.0


def test_the_generators_of_a_forest_come_back_in_their_state() -> None:
    forest = trained("adaptive_random_forest")
    back = reopened(forest)
    rows, labels = stream(300, seed=8)
    for learner in (forest, back):
        learner.learn(rows, labels)
    assert back.predict(rows) == forest.predict(rows)
    [ours], [theirs] = generators(forest), generators(back)
    assert theirs.getstate() == ours.getstate()


def test_a_forest_is_sealed_in_a_tenth_of_its_pickle_or_less() -> None:
    forest = trained("adaptive_random_forest", 1000)
    assert len(seal(forest, key=KEY, metadata={})) < len(pickle.dumps(forest)) / 10
