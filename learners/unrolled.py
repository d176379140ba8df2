"""River's logistic and linear regression, alone or behind a `StandardScaler`, over all rows of a span in one go.

The loop over rows is written out for the number of features, with each weight, mean and variance in a local variable of
its own, and compiled; between spans everything is in River's own objects. Each operation is one of River's, and they
are in River's order, so the results are River's to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import cache
from math import exp
from typing import Any, NamedTuple, TypeAlias

from river import linear_model, optim
from river.preprocessing import StandardScaler

from learners.base import Output
from learners.columns import Values, is_common_scaler
from learners.target import Coder

Decode: TypeAlias = Callable[[float], float]

WIDEST = 64
"""More features are left to River: the code that is compiled grows with their number, what it saves does not."""


class Unrolled:
    """Drives a linear model, and the scaler before it if there is one; both keep their state themselves.

    A logistic regression gives P(true) in [0, 1], 0.5 where it has no opinion; `coder` turns what a linear regression
    says into an output.
    """

    def __init__(self, scaler: StandardScaler | None, model: Any, names: Sequence[str], coder: Coder) -> None:
        self._scaler = scaler
        self._model = model
        self._names = tuple(names)
        self._coder = coder

    @classmethod
    def of(cls, steps: Sequence[Any], model: Any, names: Sequence[str], coder: Coder) -> Unrolled | None:
        """A driver for these transformers and the model after them, if they are of the common sort: no transformer but
        a scaler over all the past, and plain gradient descent at a constant rate, without L1 penalty.
        """
        if len(names) > WIDEST or not is_common_model(model):
            return None
        if not steps:
            return cls(None, model, names, coder)
        return cls(steps[0], model, names, coder) if len(steps) == 1 and is_common_scaler(steps[0]) else None

    @property
    def ready(self) -> bool:
        """Whether each feature was learned from, and each as often. Until then the rest is not to be used: a missing
        value is what River knows how to handle.
        """
        counts = () if self._scaler is None else [self._scaler.counts.get(name, 0) for name in self._names]
        weights = self._model._weights
        return len(set(counts)) <= 1 and all(name in weights for name in self._names)

    def predict(self, rows: Sequence[Values]) -> list[Output]:
        """One output per row, in order. Changes nothing."""
        return self._code().predict(rows, _Memory(self._scaler, self._model, self._names), self._coder.decode)

    def learn(self, rows: Sequence[Values], targets: Sequence[Any]) -> None:
        """Learn from rows and their targets (bools, or floats for a linear regression), in order."""
        memory = _Memory(self._scaler, self._model, self._names)
        self._code().learn(rows, targets, memory)
        memory.store()

    def prequential(self, rows: Sequence[Values], targets: Sequence[Any]) -> Generator[Output, None, None]:
        """As `Learner.prequential`, but with targets."""
        memory = _Memory(self._scaler, self._model, self._names)
        return self._code().prequential(rows, targets, memory, self._coder.decode)

    def _code(self) -> _Code:
        logistic = type(self._model) is linear_model.LogisticRegression
        return _compiled(len(self._names), self._scaler is not None, logistic, bool(self._model.l2))


def is_common_model(model: Any) -> bool:
    """Whether a model is one that is written out here."""
    if type(model) is linear_model.LogisticRegression:
        known = type(model.loss) is optim.losses.Log and model.loss.weight_pos == model.loss.weight_neg == 1.0
    else:
        known = type(model) is linear_model.LinearRegression and type(model.loss) is optim.losses.Squared
    if not known or model.l1 or type(model.optimizer) is not optim.SGD:
        return False
    return all(type(rate) is optim.schedulers.Constant for rate in (model.optimizer.lr, model.intercept_lr))


class _Memory:
    """What a scaler and a model know, in lists by feature, while a span is worked off."""

    def __init__(self, scaler: StandardScaler | None, model: Any, names: Sequence[str]) -> None:
        self._scaler, self._model, self._names = scaler, model, names
        weights = model._weights.to_dict()
        self.weights = [weights[name] for name in names]
        self.intercept = model.intercept
        self.steps = model.optimizer.n_iterations
        self.rate = model.optimizer.lr.learning_rate
        self.intercept_rate = model.intercept_lr.learning_rate
        self.clip = model.clip_gradient
        self.l2 = model.l2
        if scaler is not None:
            self.count = scaler.counts[names[0]]
            self.means = [scaler.means[name] for name in names]
            self.variances = [scaler.vars[name] for name in names]

    def store(self) -> None:
        """Hand it back to River's objects."""
        model, weights = self._model, self._model._weights
        for name, weight in zip(self._names, self.weights, strict=True):
            weights[name] = weight
        model.intercept = self.intercept
        model.optimizer.n_iterations = self.steps
        if self._scaler is not None:
            counts, means, variances = self._scaler.counts, self._scaler.means, self._scaler.vars
            for name, mean, variance in zip(self._names, self.means, self.variances, strict=True):
                counts[name], means[name], variances[name] = self.count, mean, variance


class _Code(NamedTuple):
    """The loops over rows for one shape of model."""

    predict: Callable[[Sequence[Values], _Memory, Decode], list[Output]]
    learn: Callable[[Sequence[Values], Sequence[Any], _Memory], None]
    prequential: Callable[[Sequence[Values], Sequence[Any], _Memory, Decode], Generator[Output, None, None]]


_SHAPE = """
def predict(rows, memory, decode):
    {load}
    outputs = []
    add = outputs.append
    for {row} in rows:
        {scale}
        s = {score}
        add({output})
    return outputs

def learn(rows, targets, memory):
    {load}
    for {row}, y in zip(rows, targets, strict=True):
        {take}
        s = {score}
        {step}
    {keep}

def prequential(rows, targets, memory, decode):
    {load}
    try:
        for {row}, y in zip(rows, targets, strict=True):
            {scale}
            s = {score}
            output = {output}
            {take}
            s = {score}
            {step}
            yield output
    finally:
        {keep}
        memory.store()
"""
"""`x0`, `x1`, ... are the values of a row, `z0`, ... what the scaler makes of them, `s` is the score, `g` its gradient.
"""

_LOGISTIC = {
    "output": "1.0 / (1.0 + exp(-s)) if -30.0 <= s <= 30.0 else 0.0 if s < -30.0 else 1.0 if s > 30.0 else 0.5",
    "gradient": "(-exp(-s) if s > 18.0 else -1.0 if s < -18.0 else -1.0 / (exp(s) + 1.0)) if y else "
    "(exp(s) if s < -18.0 else 1.0 if s > 18.0 else 1.0 / (exp(-s) + 1.0))",
}
_LINEAR = {"output": "decode(s)", "gradient": "2 * (s - y)"}


@cache
def _compiled(width: int, scaled: bool, logistic: bool, penalised: bool) -> _Code:
    """The loops for that many features."""

    def each(text: str, between: str = "; ") -> str:
        """The text once for each feature, its number in place of every #."""
        return between.join(text.replace("#", str(number)) for number in range(width))

    model = _LOGISTIC if logistic else _LINEAR
    z = "z" if scaled else "x"
    load = [f"[{each('w#', ', ')}] = memory.weights; b = memory.intercept; t = memory.steps"]
    load += ["rate = memory.rate; b_rate = memory.intercept_rate; clip = memory.clip; l2 = memory.l2"]
    keep = [f"memory.weights = [{each('w#', ', ')}]; memory.intercept = b; memory.steps = t"]
    take = scale = "pass"
    if scaled:
        load += [f"[{each('m#', ', ')}] = memory.means; [{each('v#', ', ')}] = memory.variances; n = memory.count"]
        load += [each("d# = v# ** 0.5")]
        keep += [f"memory.means = [{each('m#', ', ')}]; memory.variances = [{each('v#', ', ')}]; memory.count = n"]
        scale = each("z# = (x# - m#) / d# if d# else 0.0")
        learned = "a = x# - m#; m# += a / n; r = x# - m#; v# += (a * r - v#) / n; d# = v# ** 0.5"
        take = f"n += 1; {each(f'{learned}; z# = r / d# if d# else 0.0')}"
    slope = f"g * {z}# + l2 * w#" if penalised else f"g * {z}#"
    step = [f"g = {model['gradient']}", "g = g if -clip <= g <= clip else float(max(min(g, clip), -clip))"]
    step += [f"b -= b_rate * g; {each(f'w# -= rate * ({slope})')}; t += 1"]
    source = _SHAPE.format(
        load="; ".join(load),
        keep="; ".join(keep),
        row=f"({each('x#', ', ')},)",
        scale=scale,
        take=take,
        score=f"{each(f'w# * {z}#', ' + ')} + b",
        output=model["output"],
        step="; ".join(step),
    )
    loops: dict[str, Any] = {"exp": exp}
    exec(compile(source, f"<{width} features, unrolled>", "exec"), loops)  # noqa: S102 - of the text above and a number
    return _Code(loops["predict"], loops["learn"], loops["prequential"])
