"""Models that were trained elsewhere: a River estimator or pipeline, or an estimator with scikit-learn's interface.

They come as pickles, through the allow-listing unpickler. River's go on learning as River has it. Of scikit-learn's
those with `partial_fit` go on learning, one row at a time, so that results do not depend on how the stream is cut; the
others stay as they are. scikit-learn itself is not needed here, other than by its own models.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

import numpy as np
from river import base

from learners.base import LearnerConfig, LearnerError, Problem, Schema
from learners.foreign_target import ForeignClasses, ForeignTruth
from learners.prepare import Encoded
from learners.river_pipeline import River, steps_of
from learners.target import Coder, RawNumberCoder
from learners.unpickle import AllowListUnpickler, Refused

MAX_CLASSES = 100
"""Classes that a foreign model may tell apart; labels beyond are left out."""
_NAMES = "feature_names_in_"


class ForeignConfig(LearnerConfig):
    """What a foreign model is. It cannot be built from this: its estimators come with it."""

    kind: Literal["foreign"] = "foreign"
    model: str


class ScikitLearn:
    """An estimator with scikit-learn's interface, asked and taught one row at a time.

    `columns` are the features it takes, in order. What a row lacks is NaN to it. Rows come as arrays, in that order:
    scikit-learn would warn of each that it has no names, so those that it was fitted with are kept here instead.
    """

    def __init__(
        self, estimator: Any, columns: Sequence[str], classes: Sequence[Any] | None, names: Any = None
    ) -> None:
        """`classes` are all that it is to tell apart; None for a regressor. `names` are for one without its own."""
        self.estimator = estimator
        self.columns = tuple(columns)
        self.classes = None if classes is None else tuple(classes)
        self._names = vars(_entrance(estimator)).pop(_NAMES, names)

    @property
    def learns(self) -> bool:
        """Whether it can go on learning."""
        return hasattr(self.estimator, "partial_fit")

    @property
    def bare(self) -> Any:
        """A copy of the estimator, with the names that it was fitted with."""
        estimator = deepcopy(self.estimator)
        if self._names is not None:
            setattr(_entrance(estimator), _NAMES, self._names)
        return estimator

    def predict_proba_one(self, x: Mapping[Any, Any]) -> dict[Any, float]:
        """The probability of each class."""
        shares = self.estimator.predict_proba(self._row(x))[0].tolist()
        return dict(zip(self._known(), shares, strict=True))

    def predict_one(self, x: Mapping[Any, Any]) -> Any:
        """The class, or the number."""
        return self.estimator.predict(self._row(x)).tolist()[0]

    def learn_one(self, x: Mapping[Any, Any], y: Any) -> None:
        """Learn from a row."""
        told = {} if self.classes is None else {"classes": np.array(self.classes)}
        self.estimator.partial_fit(self._row(x), np.array([y]), **told)

    def clone(self) -> ScikitLearn:
        """The same, untrained."""
        return ScikitLearn(_untrained(self.estimator), self.columns, self.classes, self._names)

    def _get_params(self) -> dict[str, Any]:
        """Its parameters, as River's estimators tell theirs, and those of the steps inside by their own names."""
        told: dict[str, Any] = getattr(self.estimator, "get_params", dict)()
        return {name.rpartition("__")[2]: told[name] for name in sorted(told, key=lambda one: -one.count("__"))}

    def _known(self) -> list[Any]:
        known: list[Any] = np.asarray(self.estimator.classes_).tolist()
        return known

    def _row(self, x: Mapping[Any, Any]) -> np.ndarray[Any, Any]:
        return np.array([[x.get(name, math.nan) for name in self.columns]], dtype=float)


class Foreign(River[ForeignConfig]):
    """A model that was trained elsewhere, behind the learner's interface."""

    def __init__(
        self,
        config: ForeignConfig,
        problem: Problem,
        schema: Schema,
        seed: int,
        model: Any,
        coder: Coder,
        *,
        learned: bool,
    ) -> None:
        super().__init__(config, problem, schema, seed)
        self._assemble(steps_of(model), coder, _voice(model, problem), learned=learned)

    @property
    def recipe(self) -> str:
        return f"foreign: {self.config.model}"

    @property
    def bare(self) -> Any:
        return self._estimator.bare if isinstance(self._estimator, ScikitLearn) else super().bare

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The features that a model of scikit-learn takes, in order; None for River's, which know them by name."""
        return self._estimator.columns if isinstance(self._estimator, ScikitLearn) else None

    def fresh(self, seed: int) -> Foreign:
        """An untrained learner of the same recipe. One that cannot learn stays untrained."""
        model, coder = super().bare.clone(), deepcopy(self._coder)
        return Foreign(self.config, self.problem, self.schema, seed, model, coder, learned=False)

    def _take(self, x: Encoded, y: Any, steps: Iterable[Any]) -> None:
        if not isinstance(self._estimator, ScikitLearn) or self._estimator.learns:
            super()._take(x, y, steps)


def unpickled(data: bytes, modules: Sequence[str] = ()) -> Any:
    """What is in a pickle, if it is made of River, NumPy, Driftline and these modules only.

    Raises LearnerError; MemoryError for what takes more memory than there is.
    """
    try:
        return AllowListUnpickler(io.BytesIO(data), modules).load()
    except Refused as refused:
        raise LearnerError(
            f"the pickle was not opened: {refused}. If it is a module of a model library, and "
            "you trust who made the pickle, name it in security.modules: its classes may then run in every worker"
        ) from refused
    except MemoryError:
        raise
    except Exception as error:
        raise LearnerError(
            f"this is not a pickle that can be opened here: {type(error).__name__}: {error}. Write it with "
            "pickle.dump (not joblib), with the versions of River, NumPy and scikit-learn that are installed here"
        ) from error


def adopt(model: Any, problem: Problem, schema: Schema, *, positive: str | None = None, seed: int = 0) -> Foreign:
    """A learner around a model that was trained elsewhere. `positive` is the class that means true, if it has a name.

    Raises LearnerError for what is no model of this problem, or takes features that there are not.
    """
    name = _name(model)
    if not isinstance(model, base.Estimator):
        if not callable(getattr(model, "predict", None)):
            raise LearnerError(f"a {name} is no model: expected an estimator or pipeline of River's or scikit-learn's")
        model = _scikit_learn(model, problem, schema)
    else:
        _check_river(model, problem, schema)
    coder = _coder(model, problem, schema, positive)
    return Foreign(ForeignConfig(model=name), problem, schema, seed, model, coder, learned=True)


def _check_river(model: Any, problem: Problem, schema: Schema) -> None:
    steps = steps_of(model)
    wanted = base.Regressor if problem is Problem.REGRESSION else base.Classifier
    if not isinstance(steps[-1], wanted):
        raise LearnerError(f"a {_name(model)} is no {wanted.__name__.lower()}, which {problem.value} needs")
    if problem is Problem.MULTICLASS and not getattr(steps[-1], "_multiclass", False):
        raise LearnerError(f"a {_name(model)} tells only two classes apart")
    seen = getattr(steps[0], "counts", None) or (getattr(steps[0], "_weights", None) if len(steps) == 1 else None)
    declared = {*schema.numeric, *schema.categorical}
    unknown = sorted(map(str, set(seen) - declared)) if isinstance(seen, Mapping) else []
    if unknown:
        raise LearnerError(
            f"the model was trained on {', '.join(unknown)}, which events.features does not declare; it has "
            f"{', '.join(sorted(declared))}"
        )


def _scikit_learn(estimator: Any, problem: Problem, schema: Schema) -> ScikitLearn:
    name = type(estimator).__name__
    known = getattr(estimator, "classes_", None)
    fitted, learns = hasattr(estimator, "n_features_in_"), hasattr(estimator, "partial_fit")
    if (known is not None) != (problem is not Problem.REGRESSION) and fitted:
        raise LearnerError(
            f"a {name} is no {'regressor' if known is not None else 'classifier'}: this is {problem.value}"
        )
    if not fitted and (not learns or problem is Problem.MULTICLASS):
        raise LearnerError(f"the {name} is not fitted: fit it before it is pushed")
    names = getattr(estimator, _NAMES, None)
    columns = list(schema.numeric) if names is None else [str(column) for column in names]
    unknown = sorted(set(columns) - set(schema.numeric))
    if unknown:
        raise LearnerError(
            f"the {name} takes {', '.join(unknown)}; the numbers that events.features declares are "
            f"{', '.join(schema.numeric)}"
        )
    if fitted and len(columns) != estimator.n_features_in_:
        raise LearnerError(
            f"the {name} takes {estimator.n_features_in_} features; events.features declares {len(columns)} numbers. "
            "Fit it on a table with their names, so that it is known which it takes"
        )
    if problem is Problem.REGRESSION:
        return ScikitLearn(estimator, columns, None)
    return ScikitLearn(estimator, columns, [False, True] if known is None else np.asarray(known).tolist())


def _entrance(estimator: Any) -> Any:
    """What rows come to first: of a pipeline of scikit-learn's its first step."""
    steps = getattr(estimator, "steps", None)
    return _entrance(steps[0][1]) if isinstance(steps, list) and steps else estimator


def _coder(model: Any, problem: Problem, schema: Schema, positive: str | None) -> Coder:
    if problem is Problem.REGRESSION:
        return RawNumberCoder()
    classes = list(model.classes or ()) if isinstance(model, ScikitLearn) else _classes(model, schema)
    if problem is Problem.MULTICLASS:
        closed = isinstance(model, ScikitLearn)
        return ForeignClasses(classes, len(classes) if closed else MAX_CLASSES)
    return ForeignTruth.of(classes, positive)


def _classes(model: Any, schema: Schema) -> list[Any]:
    """The classes that a River model tells apart by now; none if that can't be found out.

    It is asked about a row of noughts and empty texts. A good model may fail at that one, in whatever way its code can;
    where it fails at events, each time is counted in `faults`.
    """
    row: dict[str, Any] = dict.fromkeys(schema.numeric, 0.0) | dict.fromkeys(schema.categorical, "")
    try:
        return list(model.predict_proba_one(row))
    except Exception:  # noqa: BLE001 - an estimator of any kind, on a row it may not know: see the docstring
        return []


def _voice(model: Any, problem: Problem) -> str:
    """The method that gives outputs."""
    if problem is Problem.REGRESSION:
        return "predict_one"
    if isinstance(model, ScikitLearn):
        return "predict_proba_one" if hasattr(model.estimator, "predict_proba") else "predict_one"
    own = type(steps_of(model)[-1]).predict_proba_one is not base.Classifier.predict_proba_one
    return "predict_proba_one" if own else "predict_one"


def _untrained(estimator: Any) -> Any:
    """A scikit-learn estimator with the same parameters that was shown nothing. It shares none with this one: a random
    state that both drew from would be two once they are stored.
    """
    given = estimator.get_params(deep=False)
    return type(estimator)(**{name: _untrained_value(value) for name, value in given.items()})


def _untrained_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_untrained_value(item) for item in value)
    return _untrained(value) if hasattr(value, "get_params") and not isinstance(value, type) else deepcopy(value)


def _name(model: Any) -> str:
    return " | ".join(type(step).__name__ for step in steps_of(model))
