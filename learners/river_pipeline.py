"""Any River pipeline, from its description: `{kind: river, pipeline: [{use: ..., with: {...}}, ...]}`.

The results are those of River's own pipeline. Around it stands only this: features a row lacks, or holds in
an unusable form (NaN, infinite, wrongly typed), are left out of it, and outputs are finite and in range.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator
from river import base, compose

from learners.base import Explanation, Learner, LearnerConfig, LearnerError, Output, Problem, Row, Schema, Target
from learners.columns import ColumnScaler, Values, rows_of, values_of
from learners.contributions import explanation
from learners.prepare import Encoded, usable
from learners.recipe import untrained
from learners.river_names import construct
from learners.target import Coder, RawNumberCoder, coder_for
from learners.unpickle import AllowListPickler
from learners.unrolled import Unrolled

Transform: TypeAlias = Callable[[Encoded], Encoded]


_REGULARIZERS = frozenset(
    {"delta", "grace_period", "l1", "l2", "learning_rate", "max_depth", "n_models", "n_neighbors", "tau"}
)
_WRAPPED = frozenset({"classifier", "lr", "model", "optimizer", "regressor"})


class Step(BaseModel):
    """One estimator of River's."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    use: str = Field(description="dotted name, such as river.preprocessing.StandardScaler")
    named: dict[str, JsonValue] = Field(
        default_factory=dict, alias="with", description="its parameters by name; an object is a nested {use, with}"
    )
    args: list[JsonValue] = Field(default_factory=list, description="its unnamed parameters, where it takes such")

    def spec(self) -> dict[str, Any]:
        """As `learners.river_names.construct` takes it."""
        return {"use": self.use, "with": self.named, "args": self.args}


class RiverConfig(LearnerConfig):
    """A pipeline of River estimators by name: transformers first, then one classifier or regressor."""

    kind: Literal["river"] = "river"
    pipeline: list[Step] = Field(min_length=1, description="steps in order")
    max_classes: int = Field(100, ge=2, description="multiclass only: classes learned; labels beyond are left out")

    @field_validator("pipeline")
    @classmethod
    def _exists(cls, steps: list[Step]) -> list[Step]:
        """Every name and parameter is checked when the configuration is read, not when the service starts."""
        try:
            for index, step in enumerate(steps):
                construct(step.spec(), Schema(), 0, f"pipeline[{index}]")
        except LearnerError as error:
            raise ValueError(str(error)) from error
        return steps


C = TypeVar("C", bound=LearnerConfig)


class River(Learner[C]):
    """River's estimators behind the learner's interface; whoever makes one puts them in their places (`_assemble`).

    A row that an estimator chokes on does not stop the stream: it gets the untrained output, or is not learned, and is
    counted in `faults`, with the newest error in `last_fault`. Memory is bounded where the estimators' is.
    """

    faults: int = 0
    last_fault: str | None = None

    def _assemble(self, steps: Sequence[Any], coder: Coder, speaks: str, *, learned: bool = False) -> None:
        """Put estimators in their places: transformers, then the one whose method `speaks` gives outputs."""
        self._learned = learned
        self._coder = coder
        self._speaks = speaks
        self._votes = speaks == "predict_one" and self.problem is not Problem.REGRESSION
        plain = all(_is_plain(step) for step in steps[:-1])
        self._transformers = list(steps[:-1]) if plain else []
        self._estimator: Any = steps[-1] if plain else compose.Pipeline(*steps)
        self._scaler = ColumnScaler.of(self._transformers, self.schema.numeric)
        self._unrolled = Unrolled.of(self._transformers, self._estimator, self.schema.numeric, coder)

    @property
    def learned(self) -> bool:
        """Whether it has learned anything."""
        return self._learned

    @property
    def bare(self) -> Any:
        """River's own pipeline, or its one estimator, as it is now."""
        return compose.Pipeline(*self._transformers, self._estimator) if self._transformers else self._estimator

    def predict(self, rows: Sequence[Row]) -> list[Output]:
        """One output per row, in order. Changes nothing but the count of faults."""
        if not self._learned:
            return [untrained(self.problem)] * len(rows)
        values = self._values(rows)
        unrolled = self._unrolled_for(values)
        if values is not None and unrolled is not None:
            return unrolled.predict(values)
        say, transforms = self._voice()
        ready = self._usable(rows, values)
        if values is not None and self._scaler is not None:
            ready, transforms = rows_of(self._scaler.transform(values), self.schema.numeric), []
        return [self._output(row, transforms, say) for row in ready]

    def learn(self, rows: Sequence[Row], labels: Sequence[Target]) -> None:
        """Learn from rows and their labels, in order."""
        targets = [self._coder.encode(label) for label in labels]
        if None in targets:
            rows = [row for row, y in zip(rows, targets, strict=True) if y is not None]
            targets = [y for y in targets if y is not None]
        values = self._values(rows)
        unrolled = self._unrolled_for(values)
        if values is not None and unrolled is not None:
            unrolled.learn(values, targets)
            return
        ready, steps = self._usable(rows, values), self._transformers
        if values is not None and self._scaler is not None:
            ready, steps = rows_of(self._scaler.learn(values), self.schema.numeric), []
        for row, y in zip(ready, targets, strict=True):
            self._take(row, y, steps)

    def prequential(self, rows: Sequence[Row], labels: Sequence[Target]) -> Generator[Output, None, None]:
        """As the base class says. Rows of floats, to a linear model, in one loop."""
        values = self._values(rows)
        unrolled = self._unrolled_for(values)
        if values is not None and unrolled is not None:
            targets = [self._coder.encode(label) for label in labels]  # of such models, coders that learn nothing
            if None not in targets:
                return unrolled.prequential(values, targets)
        return self._in_turn(self._usable(rows, values), labels)

    def _in_turn(self, rows: Iterable[Encoded], labels: Sequence[Target]) -> Generator[Output, None, None]:
        (say, transforms), steps, encode = self._voice(), self._transformers, self._coder.encode
        for row, label in zip(rows, labels, strict=True):
            output = self._output(row, transforms, say) if self._learned else untrained(self.problem)
            y = encode(label)
            if y is not None:
                self._take(row, y, steps)
            yield output

    def _output(self, x: Encoded, transforms: Iterable[Transform], say: Callable[[Encoded], Any]) -> Output:
        """What the estimator says of a row once it is transformed."""
        try:
            for transform in transforms:
                x = transform(x)
            said = say(x)
            return self._coder.decode({said: 1.0} if self._votes else said)
        except Exception as error:  # noqa: BLE001 - an estimator of any kind, on a row of any kind: see the class's docstring
            self._fault(error)
            return untrained(self.problem)

    def _take(self, x: Encoded, y: Any, steps: Iterable[Any]) -> None:
        """Learn from a row that is still to go through these steps."""
        try:
            for step in steps:
                step.learn_one(x)
                x = step.transform_one(x)
            self._estimator.learn_one(x, y)
            self._learned = True
        except Exception as error:  # noqa: BLE001 - as in `_output`
            self._fault(error)

    def _voice(self) -> tuple[Callable[[Encoded], Any], list[Transform]]:
        """How the estimator gives an output, and what comes before it."""
        return getattr(self._estimator, self._speaks), [step.transform_one for step in self._transformers]

    def explain(self, row: Row, label: Target | None = None) -> Explanation | None:
        """What each feature contributes to a row's score; None also for a row that cannot be predicted."""
        if not self._learned:
            return None
        x = usable(row, self.schema.numeric, self.schema.categorical)
        try:
            for step in self._transformers:
                x = step.transform_one(x)
            return explanation(self._estimator, self._coder, self.problem, self.schema, row, x, label)
        except Exception:  # noqa: BLE001 - as in `_output`
            return None

    def regularization(self) -> dict[str, float]:
        """The settings of the last step, and of what it wraps, that decide how closely it fits."""
        return dict(_settings(self._estimator._get_params()))

    def _values(self, rows: Sequence[Row]) -> list[Values] | None:
        """The values of the rows, if they are nothing but sound floats, as most are."""
        return None if self.schema.categorical else values_of(rows, self.schema.numeric)

    def _unrolled_for(self, values: list[Values] | None) -> Unrolled | None:
        """The quickest way to take these values, if it can be gone."""
        if values is None or self._unrolled is None or not (self._learned and self._unrolled.ready):
            return None
        return self._unrolled

    def _usable(self, rows: Sequence[Row], values: list[Values] | None) -> Iterator[Encoded]:
        """The rows as estimators take them: in the order of the schema, without what can't be used."""
        numeric, categorical = self.schema.numeric, self.schema.categorical
        if values is not None:
            return rows_of(values, numeric)
        return (usable(row, numeric, categorical) for row in rows)

    def _fault(self, error: Exception) -> None:
        self.faults += 1
        self.last_fault = f"{type(error).__name__}: {error}"


class RiverPipeline(River[RiverConfig]):
    """A River pipeline made from its description."""

    def __init__(self, config: RiverConfig, problem: Problem, schema: Schema, seed: int = 0) -> None:
        super().__init__(config, problem, schema, seed)
        coder = (
            RawNumberCoder() if problem is Problem.REGRESSION else coder_for(problem, max_classes=config.max_classes)
        )
        speaks = self._rehearse()
        self._assemble(self._make(), coder, speaks)

    def _make(self) -> list[Any]:
        steps = [
            construct(step.spec(), self.schema, self.seed, f"learner.pipeline[{index}]")
            for index, step in enumerate(self.config.pipeline)
        ]
        for index, step in enumerate(steps[:-1]):
            if not isinstance(step, base.Transformer):
                name = self.config.pipeline[index].use
                raise LearnerError(
                    f"learner.pipeline[{index}].use: {name} is no transformer; only the last step may be"
                )
        last, name = steps[-1], self.config.pipeline[-1].use
        where = f"learner.pipeline[{len(steps) - 1}].use"
        wanted = base.Regressor if self.problem is Problem.REGRESSION else base.Classifier
        if not isinstance(last, wanted):
            raise LearnerError(f"{where}: {name} is no {wanted.__name__.lower()}, which {self.problem.value} needs")
        if self.problem is Problem.MULTICLASS and not getattr(last, "_multiclass", False):
            cure = f"{{use: river.multiclass.OneVsRestClassifier, with: {{classifier: {{use: {name}}}}}}}"
            raise LearnerError(f"{where}: {name} tells only two classes apart; wrap it: {cure}")
        return steps

    def _rehearse(self) -> str:
        """Try a copy on made-up rows: steps that can't work together, or be stored, are refused before anything starts.

        Returns the method that gives outputs: `predict_proba_one`, or `predict_one` where there is no other.
        """
        trial, schema = compose.Pipeline(*self._make()), self.schema
        classes: dict[Problem, tuple[Any, Any]] = {Problem.BINARY: (True, False), Problem.MULTICLASS: (0, 1)}
        labels = classes.get(self.problem, (1.0, 2.0))
        speaks = "predict_one" if self.problem is Problem.REGRESSION else "predict_proba_one"
        try:
            for turn in range(6):
                row: dict[str, Any] = dict.fromkeys(schema.numeric, float(turn))
                row |= dict.fromkeys(schema.categorical, "ab"[turn % 2])
                trial.learn_one(row, labels[turn % 2])
                try:
                    getattr(trial, speaks)(row)
                except NotImplementedError:
                    speaks = "predict_one"
                    trial.predict_one(row)
        except Exception as error:
            texts = f" and the texts {', '.join(schema.categorical)}" if schema.categorical else ""
            raise LearnerError(
                f"learner.pipeline: the steps do not work on {', '.join(schema.numeric) or 'no numbers'}{texts}: "
                f"{type(error).__name__}: {error}. Texts need learners.ScaleAndFlag (or river.compose.Select and an "
                f"encoder) before a step that takes numbers only; check the parameters of each step."
            ) from error
        try:
            AllowListPickler(io.BytesIO()).dump(trial)
        except Exception as error:
            raise LearnerError(f"learner.pipeline: it could not be stored: {error}. Use other estimators.") from error
        return speaks


def _settings(parameters: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Those that decide how closely an estimator fits, its own after those of what it wraps."""
    for name, value in parameters.items():
        if isinstance(value, tuple) and len(value) == 2 and name in _WRAPPED:
            yield from _settings(value[1])
        elif isinstance(value, Mapping):
            yield from _settings(value)
    for name, value in parameters.items():
        if name in _REGULARIZERS and isinstance(value, (int, float)):
            yield name, float(value)


def steps_of(model: Any) -> list[Any]:
    """The steps of a pipeline of River's, or its one estimator."""
    return list(model.steps.values()) if isinstance(model, compose.Pipeline) else [model]


def _is_plain(step: Any) -> bool:
    """Whether River's pipeline would only learn and transform with this step, which is quicker done directly."""
    return not step._supervised and not isinstance(
        step, (compose.Pipeline, compose.TransformerUnion, base.AnomalyFilter)
    )
