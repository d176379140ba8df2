"""What every learner is: it predicts over spans of rows, learns from spans of rows with their labels, and pickles.

A learner knows nothing of topics, times or offsets. What it wraps (a River model that loops, a vectorised or compiled
one that does not) cannot be told from outside.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Value: TypeAlias = float | int | bool | str | None
Row: TypeAlias = Mapping[str, Value]
Target: TypeAlias = bool | str | float
"""A label as learners take it: bool (binary), str (multiclass) or float (regression)."""
Output: TypeAlias = Any
"""What a learner returns per row: P(true) in [0, 1] (binary), {class: probability} (multiclass), a float (regression).
Binary and multiclass outputs before anything is learned are 0.5 and {}; regression gives 0.0. Rows may share one output
object: read it, don't change it."""


class Problem(StrEnum):
    """What is predicted."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Schema(NamedTuple):
    """The features a learner may look at, in order. Anything else in a row is ignored."""

    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()


class Unit(StrEnum):
    """What a score is counted in before it becomes an output."""

    LOG_ODDS = "log-odds"
    """0 is even, 2.2 is nine to one; of several classes, of this one against all the rest."""
    PROBABILITY = "probability"
    LABEL = "unit of the label"


class Contribution(NamedTuple):
    """What a feature, with this value, has added to a score."""

    feature: str
    value: Value
    contribution: float


class Explanation(NamedTuple):
    """A score taken apart: what the model says of any row, and what each feature of this one adds, largest first.

    `label` is the class whose score it is; None for a number. What a pipeline has made of features and cannot be told
    which of them it comes from stands under its own name.
    """

    unit: Unit
    base: float
    contributions: tuple[Contribution, ...]
    label: Target | None

    @property
    def score(self) -> float:
        """What it adds up to: the output, or its log-odds, before numbers are limited and shares made to sum to 1."""
        return self.base + math.fsum(one.contribution for one in self.contributions)


class ImbalanceConfig(BaseModel):
    """How often labels are learned from, by class. Published probabilities are corrected for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_weights: dict[str, Annotated[float, Field(gt=0, le=1000)]] = Field(
        {}, description="times a label is learned from on average, by class (binary: true, false); the others once"
    )
    under_sample: float = Field(
        1.0, gt=0, le=1, description="share of the most common class's labels that are learned from"
    )
    over_sample: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="recent labels of rarer classes once more, as a share of what is learned",
    )
    recent: int = Field(100, ge=1, le=10_000, description="newest labels of each rarer class that are repeated")


class LearnerConfig(BaseModel):
    """Common to all learners: unknown fields are refused, values never change after construction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    imbalance: ImbalanceConfig | None = Field(
        None, description="classes only: learning from some classes oftener than from others; left out: once from each"
    )


class LearnerError(Exception):
    """A learner could not be built as configured. The message says what, what is allowed and the cure."""


C = TypeVar("C", bound=LearnerConfig)


class Learner(ABC, Generic[C]):
    """Predicts and learns over spans.

    Guarantees, held by the law-suite: outputs are finite and in range whatever the rows hold (missing, unseen, None,
    extra features); `predict` changes nothing; spans and `prequential` equal one-by-one; the same config, seed and
    input give the same outputs; a pickled copy continues exactly as the original; memory is bounded by the
    configuration.
    `problems` are those the recipe can do; `learners.registry.build` refuses the others.
    """

    problems: ClassVar[frozenset[Problem]] = frozenset(Problem)
    regularizers: ClassVar[tuple[str, ...]] = ()
    """Fields of its configuration, numbers all, that decide how closely it fits what it learns from."""

    def __init__(self, config: C, problem: Problem, schema: Schema, seed: int = 0) -> None:
        self.config = config
        self.problem = problem
        self.schema = schema
        self.seed = seed

    @property
    def recipe(self) -> str:
        """What it is made after, in a few words."""
        return self.config.kind

    @property
    @abstractmethod
    def learned(self) -> bool:
        """Whether it has learned anything; what it says before is no opinion."""

    @property
    def faults(self) -> int:
        """Rows it could neither predict nor learn from."""
        return 0

    @property
    def last_fault(self) -> str | None:
        """What went wrong with the newest of them."""
        return None

    @property
    def bare(self) -> Any:
        """The model inside, as the library that it comes from knows it; None where there is none."""
        return None

    @abstractmethod
    def predict(self, rows: Sequence[Row]) -> list[Output]:
        """One output per row, in order. Changes nothing."""

    @abstractmethod
    def learn(self, rows: Sequence[Row], labels: Sequence[Target]) -> None:
        """Learn from rows and their labels, in order. `len(rows) == len(labels)`."""

    def prequential(self, rows: Sequence[Row], labels: Sequence[Target]) -> Generator[Output, None, None]:
        """For each row in turn its output from before its label, which is learned by the time the output is given.

        The same as `predict` and `learn` of one row after the other. Close the generator to stop early: then the
        learner is as after the last output that was taken. Until it is closed or at its end, let the learner be.
        """
        for row, label in zip(rows, labels, strict=True):
            (output,) = self.predict([row])
            self.learn([row], [label])
            yield output

    def explain(self, row: Row, label: Target | None = None) -> Explanation | None:
        """What each feature contributes to a row's score; of several classes, for `label`, or for the likeliest.

        None when nothing was learned yet, and from a learner that cannot be taken apart. Changes nothing.
        """
        return None

    def regularization(self) -> dict[str, float]:
        """The settings that decide how closely it fits what it learns from, by name."""
        return {name: float(getattr(self.config, name)) for name in self.regularizers}

    def fresh(self, seed: int) -> Learner[C]:
        """An untrained learner of the same recipe."""
        return type(self)(self.config, self.problem, self.schema, seed)
