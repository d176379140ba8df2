"""How a service stands now, out of the newest details of its partitions and of its workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import structs

from stream.config.model import Config
from stream.history.answers import (
    Health,
    Labels,
    Overview,
    PartitionAnswer,
    PartitionLabels,
    Rival,
    Scores,
    Serving,
    WorkerAnswer,
    Workers,
)
from stream.history.frames import Now, PartNow, Point
from stream.history.store import Seen
from stream.telemetry import OUTCOMES

CONDITIONS: Final = ("ok", "degraded", "down")
"""States of a worker and of its parts, from the best to the worst."""

Recent = Mapping[int, Sequence[Point]]
"""The newest points of each partition, oldest first."""


class Rates:
    """Rates of now, by partition, from the newest points of each that still tells of itself."""

    def __init__(self, recent: Recent, now: float, patience: float) -> None:
        self._fresh = {
            partition: points for partition, points in recent.items() if points and now - points[-1].at <= patience
        }

    def events(self, partitions: Iterable[int] | None = None) -> float | None:
        """Events a second of these partitions, of all if none are named; None if nothing is known of any."""
        return self._sum([(one.at, one.events) for one in points] for points in self._of(partitions))

    def labels(self) -> float | None:
        """Labels a second of all partitions."""
        return self._sum([(one.at, one.labels) for one in points] for points in self._of(None))

    def latency(self, quantile: str) -> float | None:
        """The largest of a quantile (p50, p99) of the latencies, in milliseconds."""
        found = [getattr(one, f"latency_{quantile}_ms") for points in self._of(None) for one in points]
        return max((one for one in found if one is not None), default=None)

    def _of(self, partitions: Iterable[int] | None) -> list[Sequence[Point]]:
        wanted = self._fresh if partitions is None else partitions
        return [self._fresh[partition] for partition in wanted if partition in self._fresh]

    @staticmethod
    def _sum(counted: Iterable[Sequence[tuple[float, int]]]) -> float | None:
        rates = []
        for points in counted:
            (first, before), (last, after) = points[0], points[-1]
            if last > first and after >= before:
                rates.append((after - before) / (last - first))
        return sum(rates) if rates else None


def overview_of(
    config: Config, nows: Mapping[int, Now], seen: Sequence[Seen], rates: Rates, *, now: float, alive: float, loss: str
) -> Overview:
    """How the service does. Workers that were seen within `alive` seconds are there."""
    newest = max(nows.values(), key=lambda one: (one.version, one.at), default=None)
    counts: dict[str, dict[str, int]] = {topic: dict.fromkeys(outcomes, 0) for topic, outcomes in OUTCOMES.items()}
    drifts = Counter[str]()
    for one in nows.values():
        drifts.update(one.drifts)
        for topic, outcomes in one.counts.items():
            for outcome, n in outcomes.items():
                counts.setdefault(topic, {})[outcome] = counts.get(topic, {}).get(outcome, 0) + n
    return Overview(
        app=config.app,
        model=config.model.name,
        problem=config.model.problem.value,
        now=now,
        stream_time=max((one.time for one in nows.values() if one.time is not None), default=None),
        partitions=list(nows),
        champion=None if newest is None else Serving(version=newest.version, recipe=newest.recipe, stage=newest.stage),
        mixed_versions=len({one.version for one in nows.values()}) > 1,
        policy=config.adaptation.policy,
        counts=counts,
        rates={"events_per_second": rates.events(), "labels_per_second": rates.labels()},
        lag={
            "events": _sum_known(one.lag_events for one in nows.values()),
            "labels": _sum_known(one.lag_labels for one in nows.values()),
        },
        latency_ms={quantile: rates.latency(quantile) for quantile in ("p50", "p99")},
        scores=_scores(nows.values(), config.scores.window, loss),
        labelled=sum(one.labelled for one in nows.values()),
        metric=loss,
        higher_is_better=False,
        challengers=[
            Rival(**structs.asdict(one), partition=now_.partition) for now_ in nows.values() for one in now_.challengers
        ],
        open_drifts=dict(drifts),
        health=_health([one for one in seen if one.ago <= alive]),
    )


def labels_of(nows: Mapping[int, Now]) -> Labels:
    """How labels come."""
    parts = [
        PartitionLabels(
            partition=now.partition,
            join_rate=now.labels.join_rate,
            delay=now.labels.delay,
            pending=now.pending,
            held=now.held,
            expired=now.counts.get("predictions", {}).get("expired", 0),
            joined=now.labelled,
            starved=now.labels.starved,
            vanished=list(now.labels.vanished),
        )
        for now in nows.values()
    ]
    rates = [one.join_rate for one in parts if one.join_rate is not None]
    delays: dict[str, float] = {}
    for one in parts:
        for quantile, delay in one.delay.items():
            delays[quantile] = max(delay, delays.get(quantile, delay))
    return Labels(
        join_rate=sum(rates) / len(rates) if rates else None,
        delay=delays,
        pending=sum(one.pending for one in parts),
        held=sum(one.held for one in parts),
        expired=sum(one.expired for one in parts),
        joined=sum(one.joined for one in parts),
        starved=any(one.starved for one in parts),
        vanished=sorted({name for one in parts for name in one.vanished}),
        per_partition=parts,
    )


def workers_of(nows: Mapping[int, Now], seen: Sequence[Seen], rates: Rates, *, now: float, alive: float) -> Workers:
    """The workers, and who has which partition. Those that were seen within `alive` seconds are there."""
    workers = [
        WorkerAnswer(
            id=one.id,
            host=one.host,
            pid=one.pid,
            started=one.started,
            seen=now - ago,
            alive=ago <= alive,
            address=one.address,
            partitions=list(one.partitions),
            state=one.state,
            parts=one.parts,
            events_per_second=rates.events(one.partitions) if ago <= alive else None,
            memory_bytes=one.memory,
            version=max((nows[partition].version for partition in one.partitions if partition in nows), default=None),
        )
        for one, ago in seen
    ]
    owner = {partition: one.id for one in workers if one.alive for partition in one.partitions}
    partitions = [
        PartitionAnswer(
            partition=one.partition,
            worker=owner.get(one.partition),
            lag=one.lag_events,
            stream_time=one.time,
            version=one.version,
            snapshot_age=None if one.snapshot is None else max(0.0, now - one.snapshot),
        )
        for one in nows.values()
    ]
    return Workers(workers, partitions)


def _scores(nows: Iterable[Now], window: int, loss: str) -> Scores:
    """Scores of all partitions, weighted by the labels that they are of; of challengers, their mean loss."""
    sums: dict[tuple[str, str], float] = {}
    weights = Counter[tuple[str, str]]()
    for now in nows:
        weighted = [
            ((source, metric), value, min(now.labelled, window))
            for source, scores in now.scores.items()
            for metric, value in scores.items()
        ]
        weighted += [
            ((f"challenger {one.number}", loss), one.loss, one.labels)
            for one in now.challengers
            if one.loss is not None
        ]
        for of, value, weight in weighted:
            sums[of] = sums.get(of, 0.0) + value * weight
            weights[of] += weight
    found: Scores = {}
    for (source, metric), total in sums.items():
        if weights[source, metric]:
            found.setdefault(source, {})[metric] = total / weights[source, metric]
    return found


def _health(seen: Sequence[Seen]) -> Health:
    """The worst of what workers say of themselves."""
    if not seen:
        return Health("down", {"workers": PartNow("down", "no worker was seen lately")})
    parts: dict[str, PartNow] = {}
    for worker, _ in seen:
        for name, part in worker.parts.items():
            if name not in parts or _badness(part.state) > _badness(parts[name].state):
                parts[name] = part
    return Health(max((worker.state for worker, _ in seen), key=_badness), parts)


def _badness(state: str) -> int:
    return CONDITIONS.index(state) if state in CONDITIONS else len(CONDITIONS)


def _sum_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
