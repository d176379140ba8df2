"""What a worker tells of its tasks and of itself, as it is kept.

A point is small, as many are kept: counts are since the task began, so that rates follow from any two points, however
many lie between them. Its scores and its drift are packed; a `Layout`, kept apart, says what is what.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final, Literal, TypeAlias

import msgspec

Watched: TypeAlias = tuple[str, str]
"""A detector and the feature it watches; the feature of a concept detector is empty."""

Concern: TypeAlias = Literal["warmup", "stable", "warning", "drift"]
"""Where a detector stands, in the order of concern."""

STEPS: Final = 100
"""Steps of a ratio, per 1, in which drift is kept."""
LARGEST: Final = 254 / STEPS
"""Ratios that are larger are kept as this one."""


class Layout(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """What the packed parts of a point are: the source and the metric of each score, and what each ratio is of."""

    scores: tuple[tuple[str, str], ...]
    drift: tuple[Watched, ...]

    @cached_property
    def id(self) -> str:
        """The same for the same layout, whoever made it."""
        return hashlib.blake2b(msgspec.msgpack.encode(self), digest_size=6).hexdigest()

    def fits(self, point: Point) -> bool:
        """Whether a point may be packed like this."""
        return len(point.scores) == 4 * len(self.scores) and len(point.drift) == len(self.drift)


class Point(msgspec.Struct, array_like=True, gc=False):
    """A task at one instant: `at` by the worker's clock, `time` of its stream, both in seconds since the epoch.

    `events` and `dead_letters` are records taken since the task began, `labels` those that found their event, with it
    or later. Lags are records, delays seconds, latencies milliseconds. None: not known. `rivals` has the
    mean loss of each challenger by its number. Latencies are the worst of the time since the point before. `warned`
    are the detectors of errors that warn, without a drift so far.
    """

    partition: int
    at: float
    time: float | None
    layout: str
    version: int
    events: int
    labels: int
    dead_letters: int
    lag_events: int | None
    lag_labels: int | None
    pending: int
    held: int
    join_rate: float | None
    label_delay_p50: float | None
    label_delay_p90: float | None
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    scores: bytes = b""
    drift: bytes = b""
    rivals: tuple[tuple[int, float], ...] = ()
    warned: tuple[str, ...] = ()


class Reading(msgspec.Struct, array_like=True, frozen=True):
    """Where a detector stands with a feature; `segment` is the part of the stream that drifts, where that is known."""

    detector: str
    feature: str
    state: Concern
    statistic: float | None = None
    threshold: float | None = None
    segment: str | None = None

    @property
    def ratio(self) -> float | None:
        """The statistic over the threshold."""
        return ratio(self.statistic, self.threshold)


class Challenger(msgspec.Struct, frozen=True, kw_only=True):
    """A model in the champion's shadow. `labels` is how many it was compared on, `evidence` that it is better, which
    promotes it at `needed`; `loss` and `champion_loss` are mean losses over the stretch that speaks most clearly.
    """

    number: int
    version: int | None
    recipe: str
    origin: str
    stage: str
    labels: int
    evidence: float | None
    needed: float | None
    loss: float | None
    champion_loss: float | None


class LabelsNow(msgspec.Struct, frozen=True, kw_only=True):
    """How labels come: the usual share of events that get one, and quantiles of their delay in seconds, by name."""

    join_rate: float | None
    delay: dict[str, float]
    starved: bool
    vanished: tuple[str, ...]


class Fit(msgspec.Struct, frozen=True):
    """How a model fits: the share of its loss that is gone once events are learned, and its newest mean loss."""

    gap: float | None
    loss: float | None


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """A task's newest details. `counts` has the records of each topic by how they ended, `labelled` is the
    labels that found their event, with it or later, `drifts` those that were told
    and are not over by kind, `snapshot` when the newest stored one was taken.
    """

    partition: int
    worker: str
    at: float
    time: float | None
    version: int
    recipe: str
    stage: str
    counts: dict[str, dict[str, int]]
    labelled: int
    scores: dict[str, dict[str, float]]
    classes: dict[str, dict[str, float]]
    decision: float | None
    lag_events: int | None
    lag_labels: int | None
    pending: int
    held: int
    labels: LabelsNow
    readings: tuple[Reading, ...]
    drifts: dict[str, int]
    challengers: tuple[Challenger, ...]
    library: int
    fit: dict[str, Fit]
    snapshot: float | None


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """What `n` values of a feature were like, of which a share of `missing` had none; `source` says which, in words.

    Of numbers, quantiles at the levels `LEVELS`; of categories, the shares of the most frequent ones, which leave out
    the rest. Both are of the values that were not missing.
    """

    n: int
    missing: float
    source: str
    at: float
    quantiles: tuple[float, ...] = ()
    shares: dict[str, float] = {}


class PartNow(msgspec.Struct, frozen=True):
    """A part of a worker's status."""

    state: str
    reason: str = ""


class WorkerNow(msgspec.Struct, frozen=True, kw_only=True):
    """A worker: since when it runs, where it is reached, the partitions it has, its status, its memory in bytes."""

    id: str
    host: str
    pid: int
    started: float
    seen: float
    address: str
    partitions: tuple[int, ...]
    state: str
    parts: dict[str, PartNow]
    memory: int | None


def finite(value: float | None) -> float | None:
    """The value, None if it is no finite number."""
    return None if value is None or not math.isfinite(value) else float(value)


def ratio(statistic: float | None, threshold: float | None) -> float | None:
    """A statistic over its threshold; None where there is no such thing."""
    if statistic is None or threshold is None or not threshold > 0.0:
        return None
    return finite(statistic / threshold)


def packed_scores(layout: Layout, scores: Mapping[str, Mapping[str, float]]) -> bytes:
    """Scores by source and metric, in the order of a layout, in four bytes each; NaN where there is none."""
    none: Mapping[str, float] = {}
    return array("f", [scores.get(source, none).get(metric, math.nan) for source, metric in layout.scores]).tobytes()


def packed_drift(ratios: Iterable[float | None]) -> bytes:
    """Ratios in one byte each: 0 where there is none, else 1 and as many more as there are steps in it."""
    return bytes(0 if one is None else 1 + round(STEPS * min(max(one, 0.0), LARGEST)) for one in ratios)
