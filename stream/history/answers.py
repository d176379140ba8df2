"""What readers of the history are told: the answers of the API's addresses of the same names (docs/api.md).

Columns of an answer have equal lengths. Times are seconds since the epoch. None: not known.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from stream.history.frames import Challenger, PartNow

Numbers: TypeAlias = list[float | None]
Scores: TypeAlias = dict[str, dict[str, float]]
"""By source and metric."""


class Series(msgspec.Struct, kw_only=True):
    """How partitions did over time: `at` by the clock, `time` of the stream. The version is the newest one."""

    at: Numbers
    time: Numbers
    events_per_second: Numbers
    labels_per_second: Numbers
    dead_letters_per_second: Numbers
    lag_events: Numbers
    lag_labels: Numbers
    pending: Numbers
    held: Numbers
    join_rate: Numbers
    label_delay_p50: Numbers
    label_delay_p90: Numbers
    latency_p50_ms: Numbers
    latency_p99_ms: Numbers
    version: Numbers
    scores: dict[str, dict[str, Numbers]]


class Warned(msgspec.Struct, kw_only=True):
    """That a detector of a partition's errors began to warn: `at` by the clock, `time` of the stream."""

    detector: str
    partition: int
    at: float
    time: float | None


class WarnedSeries(Series, kw_only=True):
    """How partitions did, and when their detectors of errors began to warn."""

    warnings: list[Warned]


class Watched(msgspec.Struct, kw_only=True):
    """A detector on a feature: where it stands, and its ratio of statistic over threshold over time."""

    detector: str
    feature: str
    state: str
    statistic: float | None
    threshold: float | None
    ratio: Numbers


class Drift(msgspec.Struct, kw_only=True):
    """All that is watched over time; of several partitions, the one with the largest ratio."""

    at: Numbers
    time: Numbers
    rows: list[Watched]


class Watcher(msgspec.Struct, kw_only=True):
    """Where a detector stands with a feature. Of several partitions, in the one that matters most."""

    detector: str
    state: str
    statistic: float | None
    threshold: float | None
    ratio: float | None
    segment: str | None
    partition: int


class NumberValues(msgspec.Struct, kw_only=True, tag="number", tag_field="kind"):
    """What `n` values of a numeric feature were like; `missing` is the share of those that were not there."""

    n: int
    quantiles: dict[str, float]
    missing: float


class CategoryValues(msgspec.Struct, kw_only=True, tag="category", tag_field="kind"):
    """The same of a feature with categories, of which the most frequent are told."""

    n: int
    shares: dict[str, float]
    missing: float


Values: TypeAlias = NumberValues | CategoryValues


class Feature(msgspec.Struct, kw_only=True):
    """A feature, or a part of the prediction: what watches it, and its values. `source` says where the reference is
    from.
    """

    name: str
    type: Literal["number", "category", "boolean"]
    watched_by: list[Watcher]
    reference: Values | None
    current: Values | None
    source: str | None


class Coming(msgspec.Struct, kw_only=True):
    """How labels come. Delays are in seconds, by quantile; `expired` are predictions whose label never came."""

    join_rate: float | None
    delay: dict[str, float]
    pending: int
    held: int
    expired: int
    joined: int
    starved: bool
    vanished: list[str]


class PartitionLabels(Coming, kw_only=True):
    """How labels come to a partition. Delays are in seconds, by quantile."""

    partition: int


class Labels(Coming, kw_only=True):
    """The same of all partitions; the rate is the mean, delays are the longest."""

    per_partition: list[PartitionLabels]


class WorkerAnswer(msgspec.Struct, kw_only=True):
    """A worker. One that is not alive was seen last at `seen`, and did not take its leave."""

    id: str
    host: str
    pid: int
    started: float
    seen: float
    alive: bool
    address: str
    partitions: list[int]
    state: str
    parts: dict[str, PartNow]
    events_per_second: float | None
    memory_bytes: int | None
    version: int | None


class PartitionAnswer(msgspec.Struct, kw_only=True):
    """A partition, and the worker that has it, if one is alive that does. Ages are in seconds."""

    partition: int
    worker: str | None
    lag: int | None
    stream_time: float | None
    version: int
    snapshot_age: float | None


class Workers(msgspec.Struct):
    """Who does the work."""

    workers: list[WorkerAnswer]
    partitions: list[PartitionAnswer]


class Serving(msgspec.Struct, kw_only=True):
    """What predicts, as workers tell it: the newest version."""

    version: int
    recipe: str
    stage: str


class Rival(Challenger, frozen=True, kw_only=True):
    """A challenger, and the partition it competes in."""

    partition: int


class Health(msgspec.Struct):
    """The worst state of any worker that is alive, and of each part; `down` where none is."""

    state: str
    parts: dict[str, PartNow]


class Overview(msgspec.Struct, kw_only=True):
    """How the service does. What the registry, alerts and the control know of it is not in here. Models are
    compared by `metric`; `labelled` predictions were scored so far.
    """

    app: str
    model: str
    problem: str
    now: float
    stream_time: float | None
    partitions: list[int]
    champion: Serving | None
    mixed_versions: bool
    policy: str
    counts: dict[str, dict[str, int]]
    rates: dict[str, float | None]
    lag: dict[str, float | None]
    latency_ms: dict[str, float | None]
    scores: Scores
    labelled: int
    metric: str
    higher_is_better: bool
    challengers: list[Rival]
    open_drifts: dict[str, int]
    health: Health


class LivePoint(msgspec.Struct, kw_only=True):
    """One more column of the series and of the drift. `values` are by name, `scores` among them; `drift` is by detector
    and feature, with a slash between them.
    """

    at: float | None
    time: float | None
    values: dict[str, float | Scores | None]
    drift: dict[str, float]


class Column(NamedTuple):
    """A new point: of one partition, or of all together (None)."""

    partition: int | None
    point: Any
    """A `LivePoint`, or whatever else msgspec encodes and stands for one."""
