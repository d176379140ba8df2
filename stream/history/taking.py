"""Makes the frames of a task, out of its state and of what was reckoned for its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from detectors.base import State
from stream.core.adaptation import Adaptation
from stream.core.contestants import Contestant
from stream.core.incidents import Incidents
from stream.core.state import TaskState
from stream.history import frames
from stream.history.frames import (
    Challenger,
    Fit,
    LabelsNow,
    Layout,
    Now,
    Point,
    Watched,
    finite,
    packed_drift,
    packed_scores,
)
from stream.kafka.report import Report
from stream.records import Alert

_STATES: Final[Mapping[State, frames.Concern]] = {
    State.WARMUP: "warmup",
    State.STABLE: "stable",
    State.WARNING: "warning",
    State.DRIFT: "drift",
}


def now_of(partition: int, state: TaskState, report: Report, *, worker: str, at: float, snapshot: float | None) -> Now:
    """A task's newest details. `at` is the time, `snapshot` when its newest stored snapshot was taken."""
    segments = _segments(state.incidents)
    starvation = state.starvation
    counts: dict[str, dict[str, int]] = {}
    for (topic, outcome), n in state.counts.items():
        counts.setdefault(topic, {})[outcome] = n
    delays = {name: seconds for name, delay in report.delays.items() if (seconds := finite(delay)) is not None}
    return Now(
        partition=partition,
        worker=worker,
        at=at,
        time=state.stream_time or None,  # before the first record
        version=state.version,
        recipe=state.champion.recipe,
        stage=state.adaptation.champion_stage.value,
        counts=counts,
        labelled=state.scores.labels,
        scores=_finite(report.scores),
        classes=_finite(report.classes),
        decision=state.judge.threshold,
        lag_events=report.lags.get("events"),
        lag_labels=report.lags.get("labels"),
        pending=state.pending.waiting,
        held=state.pending.held,
        labels=LabelsNow(
            join_rate=finite(starvation.joined),
            delay=delays,
            starved=starvation.starved,
            vanished=starvation.vanished_classes,
        ),
        readings=tuple(
            frames.Reading(
                detector,
                feature,
                _STATES[reading.state],
                finite(reading.statistic),
                finite(reading.threshold),
                segments.get((detector, feature)),
            )
            for (detector, feature), reading in report.readings.items()
        ),
        drifts={kind: n for kind, n in report.drifts.items() if n},
        challengers=_challengers(state.adaptation),
        library=len(state.adaptation.library.models),
        fit={
            source: Fit(finite(health.gap), finite(health.curve[-1].loss) if health.curve else None)
            for source, health in report.fit.items()
        },
        snapshot=snapshot,
    )


def extended(layout: Layout, now: Now) -> Layout:
    """The layout, or one that has room besides for all that a point of these details has to pack."""
    scores = ((source, metric) for source, metrics in now.scores.items() for metric in metrics)
    watched = ((one.detector, one.feature) for one in now.readings)
    wanted = Layout(tuple(dict.fromkeys((*layout.scores, *scores))), tuple(dict.fromkeys((*layout.drift, *watched))))
    return layout if wanted == layout else wanted


def point_of(now: Now, report: Report, layout: Layout) -> Point:
    """The point that goes with a task's newest details, packed as a layout says."""
    ratios: dict[Watched, float] = {}
    for one in now.readings:
        if (ratio := one.ratio) is not None:
            ratios[one.detector, one.feature] = ratio
    for watched, over in _peaks(report.alerts):
        ratios[watched] = max(over, ratios.get(watched, 0.0))
    p50, p99 = _quantiles(report.latencies)
    dead = (now.counts.get(topic, {}).get("dead_lettered", 0) for topic in ("events", "labels"))
    return Point(
        partition=now.partition,
        at=now.at,
        time=now.time,
        layout=layout.id,
        version=now.version,
        events=sum(now.counts.get("events", {}).values()),
        labels=now.labelled,
        dead_letters=sum(dead),
        lag_events=now.lag_events,
        lag_labels=now.lag_labels,
        pending=now.pending,
        held=now.held,
        join_rate=now.labels.join_rate,
        label_delay_p50=now.labels.delay.get("p50"),
        label_delay_p90=now.labels.delay.get("p90"),
        latency_p50_ms=p50,
        latency_p99_ms=p99,
        scores=packed_scores(layout, now.scores),
        drift=packed_drift(ratios.get(watched) for watched in layout.drift),
        rivals=tuple((one.number, one.loss) for one in now.challengers if one.loss is not None),
        warned=tuple(one.detector for one in now.readings if not one.feature and one.state == "warning"),
    )


def _challengers(adaptation: Adaptation) -> tuple[Challenger, ...]:
    return tuple(_challenger(one) for one in adaptation.contestants)


def _challenger(one: Contestant) -> Challenger:
    compared = one.duel.n > 0
    champion_loss, loss = one.duel.means() if compared else (None, None)
    return Challenger(
        number=one.number,
        version=one.version or None,
        recipe=one.learner.recipe,
        origin=one.origin,
        stage=one.stage.value,
        labels=one.duel.n,
        evidence=finite(one.duel.evidence()) if compared else None,
        needed=1.0 / one.error if one.error > 0.0 else None,
        loss=finite(loss),
        champion_loss=finite(champion_loss),
    )


def _segments(incidents: Incidents) -> dict[Watched, str]:
    """The segments that drift, by the detector that found it and the feature."""
    alerts = (one.alert for one in incidents.open)
    return {(one.detector or "", one.feature or ""): one.segment for one in alerts if one.segment is not None}


def _peaks(alerts: Iterable[Alert]) -> list[tuple[Watched, float]]:
    """Ratios that alerts tell of: a detector that has found a drift starts anew, and may be calm again by now."""
    return [
        ((one.detector, one.feature or ""), one.over)
        for alert in alerts
        if not alert.over
        for one in alert.contributors
        if one.over is not None
    ]


def _quantiles(latencies: Sequence[float]) -> tuple[float | None, float | None]:
    """The median and the 99 % quantile, in milliseconds."""
    if not latencies:
        return None, None
    ordered = sorted(latencies)
    return 1000.0 * ordered[len(ordered) // 2], 1000.0 * ordered[min(len(ordered) - 1, 99 * len(ordered) // 100)]


def _finite(scores: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {
        of: {metric: known for metric, value in metrics.items() if (known := finite(value)) is not None}
        for of, metrics in scores.items()
    }
