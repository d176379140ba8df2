"""The records that pass between a driver and the engine, and the effects the engine asks for.

All are values: made once, never changed. Times are seconds since the epoch (float); `timestamp` is the time of the
Kafka record, `time` the time the event itself names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

Features: TypeAlias = dict[str, Any]
Target: TypeAlias = bool | str | float


class RawRecord(Protocol):
    """A record as a Kafka client hands it over (kafka-python's `ConsumerRecord` is one).

    `timestamp` is in milliseconds since the epoch, -1 when the record carries none.
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Event(msgspec.Struct, frozen=True, gc=False):
    """One decoded event. `features` holds declared features only; one that is missing is absent or None. `text` is how
    its label is written, where one of several texts means true.
    """

    id: str
    time: float
    timestamp: float
    offset: int
    features: Features
    key: bytes | None = None
    label: Target | None = None
    text: str | None = None


class Label(msgspec.Struct, frozen=True, gc=False):
    """The truth for an event id. `label` is bool (binary), str (multiclass) or float (regression); `text` is how it is
    written, where one of several texts means true.
    """

    id: str
    label: Target
    timestamp: float
    offset: int
    text: str | None = None


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A record that could not be decoded or validated, with its original bytes. Becomes a dead letter."""

    topic: str
    partition: int
    offset: int
    timestamp: float
    reason: str
    message: str
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Span(msgspec.Struct, frozen=True):
    """What one engine step takes: events, then labels, in the order of their topics. `received` is the time at which
    the driver had the newest of them in hand; rejected records are counted and handed on.
    """

    events: list[Event] = []
    labels: list[Label] = []
    rejected: list[Rejected] = []
    received: float = 0.0


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """Effect: publish a prediction. `probabilities` is None for regression; `threshold` is the probability from which
    a binary prediction is true; `latency_ms` runs from the record being in the worker's hands to the engine's answer.
    """

    id: str
    key: str | None
    ts: float
    prediction: Target | None
    probabilities: dict[str, float] | None
    model: str
    model_version: int
    latency_ms: float
    partition: int
    offset: int
    features: Features | None = None
    threshold: float | None = None


class Window(msgspec.Struct, frozen=True):
    """Bounds of a stretch of a task's stream: how many values, from which offset and time to which.

    Bounds inside the stream are exact to within 32 values; the end of a current window is exact. `profile` is what the
    values are like: quantiles by name, or shares of categories; None where the detector has no such thing.
    """

    n: int
    first_offset: int | None = None
    last_offset: int | None = None
    first_ts: float | None = None
    last_ts: float | None = None
    profile: dict[str, float] | None = None


class Change(msgspec.Struct, frozen=True):
    """When a change most probably began: with which of the newest `n` values, at which offset and time (exact to within
    32 values).
    """

    n: int
    offset: int | None = None
    ts: float | None = None


class Contributor(msgspec.Struct, frozen=True):
    """What takes part in a drift: its evidence, `over` which is its statistic as a multiple of the threshold; None
    where that is not how the detector decides.
    """

    detector: str
    feature: str | None = None
    segment: str | None = None
    direction: str | None = None
    over: float | None = None
    before: float | None = None
    after: float | None = None
    detail: str | None = None


AlertState: TypeAlias = Literal["open", "recovered", "settled"]
"""Of a drift: it is there; what had changed is as before; the new level is what is usual now."""
OVER: Final[tuple[AlertState, ...]] = ("recovered", "settled")
"""How a drift can end."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Effect: tell people. `id` is the same whenever the same task, detector and offset raise it again.

    `feature` is what changed: a feature; `score` or `class` of a prediction_drift; the topic of a data_quality alert,
    `events` or `labels`, of which `detail` says why most were rejected. `segment` names the part of the stream it is
    about, as in "country=US", where parts are watched apart. `expected_events_per_false_alarm` says how many events
    pass on average before this detector raises such an alarm on this feature without a cause; None where nobody can
    say, as its settings were made by hand.

    All alerts of one drift have the same `incident`, and those after the first say `since` when there is one. The last
    has the state recovered or settled, and `duration` in seconds: after recovery `before` and `after` lead back from
    the drifted level, otherwise from the level before the drift to that which is usual now.
    """

    id: str
    ts: float
    kind: str
    severity: str
    model: str
    model_version: int
    partition: int
    offset: int
    state: AlertState | None = None
    incident: str | None = None
    detector: str | None = None
    feature: str | None = None
    segment: str | None = None
    direction: str | None = None
    before: float | None = None
    after: float | None = None
    effect: float | None = None
    statistic: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    expected_events_per_false_alarm: float | None = None
    change: Change | None = None
    reference: Window | None = None
    current: Window | None = None
    contributors: tuple[Contributor, ...] = ()
    since: float | None = None
    duration: float | None = None
    detail: str | None = None
    action: str = "none"

    @property
    def over(self) -> bool:
        """Whether it tells that a drift is over."""
        return self.state in OVER


class Promote(msgspec.Struct, frozen=True):
    """Effect: make this learner the champion, if the champion is still `expected_version`. `learner` is the live
    object: the driver turns it into an artifact before the engine's next step.

    `parents` are the versions that it comes from; `trained` the offsets of the first and the last event that it has
    learned from in this task, since it began untrained or as a copy of a parent, `span` of those that it was compared
    on (None: not known, or none); `intervals` the confidence intervals of those scores that have one.
    """

    learner: Any
    expected_version: int
    reason: str
    scores: dict[str, float]
    labels: int
    offset: int
    timestamp: float
    parents: tuple[int, ...] = ()
    span: tuple[int, int] | None = None
    intervals: dict[str, tuple[float, float]] = {}
    trained: tuple[int, int] | None = None


Effect: TypeAlias = Prediction | Alert | Rejected | Promote


Source: TypeAlias = Literal["champion", "challenger", "held", "store"]
"""Where a learner to swap in comes from: it is the task's own champion or challenger, one that it holds beside
them, or an artifact of the store.
"""


def because(cause: str, why: str) -> str:
    """The reason of a change by hand: its cause, and what somebody had to say about it."""
    return cause if why in ("", cause) else f"{cause}: {why}"


def cause_of(reason: str) -> str:
    """The cause alone."""
    return reason.partition(":")[0]


class Swap(msgspec.Struct, frozen=True):
    """Command to the engine: serve with this learner from the next event on. `digest` is that of its artifact."""

    learner: Any
    version: int
    reason: str
    source: Source = "store"
    digest: str = ""

    @property
    def cause(self) -> str:
        """What made the change: "rollback", "promoted", ..., without what somebody had to say about it."""
        return cause_of(self.reason)


class PromotionRefused(msgspec.Struct, frozen=True):
    """Command to the engine: another writer was first, or the model was refused; drop the challenger."""

    reason: str


class Challenge(msgspec.Struct, frozen=True):
    """Command to the engine: from the next event on this learner, a version of the store, competes with the champion.
    `digest` is that of its artifact.
    """

    learner: Any
    version: int
    source: Literal["store"] = "store"
    digest: str = ""


class Withdraw(msgspec.Struct, frozen=True):
    """Command to the engine: the challenger that came as this version is to compete no more."""

    version: int


Command: TypeAlias = Swap | PromotionRefused | Challenge | Withdraw
