"""What each feature contributed to one score, for the models that can be taken apart.

- Linear models: weight times value, beside the intercept.
- Trees: the change of the share, or mean, from node to node belongs to the feature that was split on (Saabas,
  "Interpreting random forests", 2014), beside the root's. Where naive Bayes has the last word in a leaf, its step from
  the leaf's share belongs to the features it looked at: to each, the integral of its gradient while the evidence grows
  from none to all of it (Aumann and Shapley, "Values of Non-Atomic Games", 1974). A linear model in a leaf is taken
  apart as any other: the splits have only chosen it.
- Forests: the mean of their trees, by the weights of their votes.

Base and contributions add up to the score, and are held against the estimator's own answer: one that turns out
otherwise is not given at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from learners.base import Contribution, Explanation, Problem, Row, Schema, Target, Unit
from learners.prepare import category
from learners.target import Coder

_FEWEST_STEPS, _MOST_STEPS = 64, 4096
_EQUAL = 1e-9

Encoded: TypeAlias = Mapping[Any, Any]


class Parts(NamedTuple):
    """A score of an estimator taken apart, by the names that its input has."""

    unit: Unit
    base: float
    shares: Mapping[Any, float]

    @property
    def score(self) -> float:
        """What the parts add up to."""
        return self.base + math.fsum(self.shares.values())


def explanation(
    estimator: Any, coder: Coder, problem: Problem, schema: Schema, row: Row, x: Encoded, label: Target | None
) -> Explanation | None:
    """The score of `row`, which the estimator takes as `x`, for a class; of several, the likeliest if `label` is None.

    None when the estimator cannot be taken apart, or has no such class.
    """
    target: Any = None
    if problem is Problem.BINARY:
        label = target = True
    elif problem is Problem.MULTICLASS:
        shares = coder.decode(estimator.predict_proba_one(x))
        label = max(shares, key=shares.__getitem__) if label is None else label
        if label not in shares:
            return None
        target = coder.encode(label)
    parts = take_apart(estimator, x, target)
    if parts is None:
        return None
    scale, offset = coder.unit if target is None else (1.0, 0.0)
    owners = _owners(schema, row)
    sums: dict[Any, float] = {}
    for name, share in parts.shares.items():
        _add(sums, {owners.get(name, name): share}, scale)
    contributions = (Contribution(str(name), row.get(name, x.get(name)), share) for name, share in sums.items())
    told = largest_first(contributions)
    return Explanation(parts.unit, parts.base * scale + offset, told, None if target is None else label)


def largest_first(contributions: Iterable[Contribution]) -> tuple[Contribution, ...]:
    """Contributions as explanations have them, without those of nothing."""
    return tuple(sorted((one for one in contributions if one.contribution), key=lambda one: -abs(one.contribution)))


def take_apart(estimator: Any, x: Encoded, target: Any) -> Parts | None:
    """An estimator's score of `x` for one of its classes (None: its number), or None if it cannot be taken apart."""
    for kind, how in _kinds():
        if isinstance(estimator, kind):
            parts = how(estimator, x, target)
            return parts if parts is not None and _adds_up(parts, estimator, x, target) else None
    return None


@lru_cache(maxsize=1)
def _kinds() -> list[tuple[type, Callable[[Any, Encoded, Any], Parts | None]]]:
    from river import compose, forest, linear_model, multiclass, tree

    return [
        (compose.Pipeline, _pipeline),
        (multiclass.OneVsRestClassifier, _one_against_the_rest),
        (linear_model.LogisticRegression, _linear),
        (linear_model.LinearRegression, _linear),
        (forest.ARFClassifier, _voting_forest),
        (forest.ARFRegressor, _averaging_forest),
        (tree.HoeffdingTreeClassifier, _classifying_tree),
        (tree.HoeffdingTreeRegressor, _averaging_tree),
    ]


def _adds_up(parts: Parts, estimator: Any, x: Encoded, target: Any) -> bool:
    """Whether the parts are those of the estimator's own answer."""
    if target is None:
        said = estimator.predict_one(x)
        return math.isclose(parts.score, said, rel_tol=_EQUAL, abs_tol=_EQUAL)
    shares = estimator.predict_proba_one(x)
    if parts.unit is Unit.PROBABILITY:
        return math.isclose(parts.score, shares.get(target, 0.0) / sum(shares.values()), abs_tol=_EQUAL)
    # Log-odds of one of several classes are those of a classifier of its own, which was asked already.
    return not isinstance(target, bool) or math.isclose(logistic(parts.score), shares[target], abs_tol=_EQUAL)


def logistic(score: float) -> float:
    """The probability of these log-odds."""
    grown = math.exp(-abs(score))
    return (1.0 if score > 0 else grown) / (1.0 + grown)


# linear models


def _pipeline(pipeline: Any, x: Encoded, target: Any) -> Parts | None:
    *transformers, last = pipeline.steps.values()
    for step in transformers:
        x = step.transform_one(x)
    return take_apart(last, x, target)


def _one_against_the_rest(estimator: Any, x: Encoded, target: Any) -> Parts | None:
    classifier = estimator.classifiers.get(target)
    parts = None if classifier is None else take_apart(classifier, x, True)
    return parts if parts is not None and parts.unit is Unit.LOG_ODDS else None


def _linear(estimator: Any, x: Encoded, target: Any) -> Parts:
    weights = estimator.weights
    shares = {name: weights[name] * value for name, value in x.items() if name in weights}
    return Parts(Unit.LABEL if target is None else Unit.LOG_ODDS, float(estimator.intercept), shares)


# forests


def _voting_forest(forest: Any, x: Encoded, target: Any) -> Parts | None:
    weights = []
    for tree, metric in zip(forest, forest._metrics, strict=True):
        accuracy = metric.get()
        weight = accuracy if accuracy > 0.0 and not forest.disable_weighted_vote else 1.0
        weights.append(weight * sum(tree.predict_proba_one(x).values()))
    return _blend(forest, weights, x, target)


def _averaging_forest(forest: Any, x: Encoded, target: Any) -> Parts | None:
    """Only of a plain mean, as it is unless asked for another: `_adds_up` refuses the others."""
    return _blend(forest, [1.0] * len(forest), x, target)


def _blend(trees: Iterable[Any], weights: Sequence[float], x: Encoded, target: Any) -> Parts | None:
    found = []
    for tree, weight in zip(trees, weights, strict=True):
        if weight:
            parts = take_apart(tree, x, target)
            if parts is None:
                return None
            found.append((parts, weight))
    return _mean(found) if found else None


def _mean(weighted: Sequence[tuple[Parts, float]]) -> Parts:
    total = math.fsum(weight for _, weight in weighted)
    shares: dict[Any, float] = {}
    for parts, weight in weighted:
        _add(shares, parts.shares, weight / total)
    return Parts(weighted[0][0].unit, math.fsum(parts.base * weight / total for parts, weight in weighted), shares)


def _add(sums: dict[Any, float], shares: Mapping[Any, float], weight: float = 1.0) -> None:
    for name, share in shares.items():
        sums[name] = sums.get(name, 0.0) + weight * share


# trees


def _paths(tree: Any, x: Encoded) -> list[list[Any]]:
    """The nodes from the root to each leaf that has a say: an adaptive tree asks the leaves of alternate trees too."""
    if tree._root is None:
        return []
    main = list(tree._root.walk(x, until_leaf=True))
    paths = [main]
    for depth, node in enumerate(main):
        alternate = getattr(node, "_alternate_tree", None)
        if alternate is not None:
            paths.append([*main[: depth + 1], *alternate.walk(x, until_leaf=True)])
    return paths


def _changes(path: Sequence[Any], value: Callable[[Any], float | None]) -> dict[Any, float]:
    """How much each split on a path has changed the value. A node without one has its parent's."""
    shares: dict[Any, float] = {}
    at = value(path[0])
    for branch, node in pairwise(path):
        here = value(node)
        if at is not None and here is not None:
            _add(shares, {branch.feature: here - at})
        at = at if here is None else here
    return shares


def _classifying_tree(tree: Any, x: Encoded, target: Any) -> Parts | None:
    def share(node: Any) -> float | None:
        total = sum(node.stats.values())
        return node.stats.get(target, 0.0) / total if total else None

    found = []
    for path in _paths(tree, x):
        leaf = path[-1]
        said = leaf.prediction(x, tree=tree) or {}
        weight = sum(said.values())
        if weight:
            p = said.get(target, 0.0) / weight
            shares = _changes(path, share)
            if p != share(leaf):
                _add(shares, _evidence(leaf, x, target))
            found.append((Parts(Unit.PROBABILITY, p - math.fsum(shares.values()), shares), weight))
    return _mean(found) if found else None


def _averaging_tree(tree: Any, x: Encoded, target: Any) -> Parts | None:
    def mean(node: Any) -> float | None:
        return float(node.stats.mean.get()) if node.stats.mean.n else None

    found = []
    for path in _paths(tree, x):
        leaf = path[-1]
        said = leaf.prediction(x, tree=tree)
        if said == leaf.stats.mean.get():
            shares = _changes(path, mean)
            parts: Parts | None = Parts(Unit.LABEL, said - math.fsum(shares.values()), shares)
        else:
            parts = take_apart(leaf._leaf_model, x, None)
        if parts is None:
            return None
        found.append((parts, 1.0))
    return _mean(found) if found else None


def _evidence(leaf: Any, x: Encoded, target: Any) -> dict[Any, float]:
    """How much of naive Bayes' probability of a class each feature accounts for, beside the shares of the classes."""
    classes = [name for name, weight in leaf.stats.items() if weight > 0]
    names = [name for name in leaf.splitters or () if name in x]
    if target not in classes or not names:
        return {}
    likelihoods = np.array([[_log_likelihood(leaf.splitters[f], x[f], c) for f in names] for c in classes])
    sums = likelihoods.sum(axis=1)
    steps = min(_MOST_STEPS, max(_FEWEST_STEPS, 4 * math.ceil(np.ptp(sums))))
    grown = (np.arange(steps)[:, np.newaxis] + 0.5) / steps
    votes = np.log([leaf.stats[name] for name in classes]) + grown * sums
    p = np.exp(votes - votes.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    own = classes.index(target)
    gradients = p[:, [own]] * (likelihoods[own] - p @ likelihoods)
    return dict(zip(names, gradients.mean(axis=0).tolist(), strict=True))


def _log_likelihood(splitter: Any, value: Any, label: Any) -> float:
    """As River's naive Bayes takes it: what was never seen says nothing."""
    if hasattr(splitter, "cond_log_proba"):
        known = float(splitter.cond_log_proba(value, label))
        return known if known > -math.inf else 0.0
    likelihood = splitter.cond_proba(value, label)
    return math.log(likelihood) if likelihood > 0 else 0.0


# names


def _owners(schema: Schema, row: Row) -> dict[str, str]:
    """Which declared feature is behind each name that `learners.prepare` gives to what it makes of a row."""

    def names() -> Iterator[tuple[str, str]]:
        for feature in (*schema.numeric, *schema.categorical):
            yield feature + "?", feature
        for feature in schema.categorical:
            yield f"{feature}={category(row.get(feature))}", feature
            yield f"{feature}=*", feature
        for feature in (*schema.numeric, *schema.categorical):
            yield feature, feature

    return dict(names())
