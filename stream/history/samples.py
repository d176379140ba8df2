"""A sample of what features and predictions are like: of the newest, and of those that detectors compare them with.

What is like the reference follows the detectors: their first values, or the profile that they start with; where it
rolls, the values of a while ago; and, when a drift is over because its level is what is usual now, the values of then.
Those of predictions begin anew with each version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import numpy as np

from learners.base import Problem
from stream.config.budget import divide
from stream.config.model import Config
from stream.history.distributions import of_categories, of_numbers
from stream.history.frames import Distribution
from stream.history.references import Behind, Plan, plan_of
from stream.history.store import Told
from stream.history.tables import SIZE, Columns, Make, Table, text_of
from stream.profile import Profile
from stream.records import Event, Prediction

VALUES: Final = 20_000
"""Values a second, of all tasks of a worker together, that samples take at most on average."""
AT_ONCE: Final = 32
"""Rows that a sample takes at once at most."""

T = TypeVar("T")


class Samples:
    """The samples of one task."""

    def __init__(self, config: Config, profile: Profile | None, *, is_new: bool) -> None:
        """`is_new`: the task has just begun, so that its first events are the reference unless there is a profile."""
        parts, (numbers, categories) = divide(config), config.model.outputs
        self._config = config
        self._profile = profile
        self._is_new = is_new
        first = "events of the partition" if is_new and profile is None else None
        columns = Columns(config.events.numeric, config.events.categorical)
        self._events = _Rows[Event](columns, plan_of(parts, "data"), attrgetter("features"), first)
        self._outputs = Columns(self._free(numbers), self._free(categories))
        self._output_plan = plan_of(parts, "prediction")
        self._predictions = self._of_version(None)
        self._version: int | None = None
        self._drifting: dict[str, frozenset[str]] = {}  # features of drifts that are not over, by incident

    def take(self, events: Sequence[Event], effects: Iterable[object], now: float, rest: float) -> None:
        """Take some of a span of events and of the predictions on them, or all towards a reference. `rest` is how long
        nothing more is taken for each row that was, in seconds.
        """
        self._events.take(events, now, rest)
        predictions = (one for one in effects if isinstance(one, Prediction))
        for version, made in groupby(predictions, attrgetter("model_version")):
            if version != self._version:
                is_first = self._is_new or self._version is not None
                self._predictions = self._of_version(version if is_first else None)
                self._version = version
            self._predictions.take(list(made), now, rest)

    def drifts(self, open_: Mapping[str, frozenset[str]], settled: frozenset[str]) -> None:
        """Take note of the drifts that are not over, by incident with the features in them, and of the incidents that
        are, with a new level that is usual now.
        """
        over = frozenset[str]().union(*(self._drifting.get(incident, frozenset()) for incident in settled))
        self._drifting = dict(open_)
        drifting = frozenset[str]().union(*open_.values())
        for rows in (self._events, self._predictions):
            rows.drifts(drifting, over)

    def due(self, at: float) -> list[Make]:
        """What there is to tell: the newest values, and references that have become known."""
        makes = [*self._events.due(at), *self._predictions.due(at)]
        if self._profile is not None:
            makes.append(_of_profile(self._profile, self._config, at))
            self._profile = None
        return makes

    def _of_version(self, version: int | None) -> _Rows[Prediction]:
        """A sample of what a version says, of which these are its first predictions; None: they are not."""
        first = None if version is None else f"predictions of version {version}"
        return _Rows(self._outputs, self._output_plan, self._said, first)

    def _said(self, prediction: Prediction) -> dict[str, Any]:
        """A prediction as detectors see it."""
        answer, shares = prediction.prediction, prediction.probabilities
        if shares is None:
            return {"score": answer}
        is_binary = self._config.model.problem is Problem.BINARY
        return {"score": shares["true"] if is_binary else max(shares.values(), default=None), "class": answer}

    def _free(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those that no feature is called."""
        return tuple(name for name in names if name not in self._config.events.features)


class _Rows(Generic[T]):
    """Samples of one kind of row. `first` is what its first rows are, in words, if they are the reference."""

    def __init__(self, columns: Columns, plan: Plan, values: Callable[[T], dict[str, Any]], first: str | None) -> None:
        self._columns, self._plan, self._values = columns, plan, values
        self._newest = Table(columns)
        self._first = None if first is None else Table(columns)
        self._first_of = first
        self._seen = 0  # rows towards the reference
        self._behind = Behind[T](plan, lambda: Table(columns)) if plan.rolling else None
        self._drifting = frozenset[str]()
        self._settled: set[str] = set()  # features whose drift is over, with the level of now as the usual one
        self._usual_from: dict[str, int] = {}  # the row from which on that is so, where references roll
        self._not_before = 0.0

    def take(self, rows: Sequence[T], now: float, rest: float) -> None:
        """Take some of a span, or all towards a reference."""
        if self._first is not None and self._seen < self._plan.first:
            stride = -(-self._plan.first // SIZE)
            some = rows[-self._seen % stride : self._plan.first - self._seen : stride]
            self._first.add([self._values(row) for row in some])
            self._seen += len(rows)
        if self._behind is not None:
            self._behind.take(rows, self._values)
        if now >= self._not_before:
            some = rows[:: -(-len(rows) // AT_ONCE)]
            self._newest.add([self._values(row) for row in some])
            self._not_before = now + rest * len(some)

    def drifts(self, drifting: frozenset[str], settled: frozenset[str]) -> None:
        """These features drift; of these that is over, with a new level that is usual now."""
        self._drifting = drifting
        self._settled |= settled
        if self._behind is not None:
            self._usual_from.update(dict.fromkeys(settled, self._behind.seen))

    def due(self, at: float) -> Iterator[Make]:
        """What there is to tell."""
        if self._newest.n:
            yield self._newest.make("current", "the newest", at)
        if self._first is not None and self._seen >= self._plan.first:
            yield self._first.make("reference", f"the first {self._plan.first:,} {self._first_of}", at)
            self._first = None
        yield from self._moved(at)
        if self._settled and self._newest.n:
            when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
            source = f"what is usual since a drift was over at {when} UTC"
            yield self._newest.make("reference", source, at, frozenset(self._settled))
            self._settled.clear()

    def _moved(self, at: float) -> Iterator[Make]:
        """References that roll. One stays while its feature drifts: it is what was usual before."""
        if self._behind is None:
            return
        for start, table in self._behind.due():
            usual = {name for name in self._plan.rolling if start >= self._usual_from.get(name, 0)} - self._drifting
            source = f"a stretch that moves on, from {self._plan.behind:,} values before the newest"
            yield table.make("reference", source, at, frozenset(usual))


def _of_profile(profile: Profile, config: Config, at: float) -> Make:
    source = f"the profile of {profile.made:%Y-%m-%d} ({profile.source})"

    def made() -> dict[Told, Distribution]:
        told: dict[Told, Distribution] = {}
        for name, values in profile.features.items():
            if name in config.events.numeric:
                told[name, "reference"] = of_numbers(np.array(values, dtype=float), source, at)
            elif name in config.events.categorical:
                told[name, "reference"] = of_categories([text_of(value) for value in values], source, at)
        return told

    return made
