"""Carries out the effects that are outputs: encodes them, hands them to delivery, counts them, logs what people act
on.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

import structlog

from stream.core.state import TaskState
from stream.kafka.client import Outgoing
from stream.kafka.delivery import Delivery
from stream.kafka.report import Report, report_of
from stream.kafka.task import Task
from stream.records import Alert, Effect, Prediction, Promote, Rejected
from stream.sinks.kafka import KafkaSink
from stream.telemetry import OUTCOMES, Telemetry, Topic

log = structlog.get_logger()

QUIET = 10.0
"""Seconds between two log lines about dead letters with the same reason."""

LATENCIES = 4096
"""Newest latencies of a task that are remembered until it is reported."""
ALERTS = 100
"""The same of alerts."""

_NOT_LOGGED = frozenset({"ts", "change", "reference", "current", "contributors"})


class Publisher:
    """Sends predictions, alerts and dead letters on their way."""

    def __init__(
        self,
        sink: KafkaSink,
        delivery: Delivery,
        telemetry: Telemetry,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = sink
        self._delivery = delivery
        self._telemetry = telemetry
        self._timer = timer
        self._counted: dict[int, Counter[tuple[str, str]]] = {}
        self._told_at: dict[str, float] = {}  # by reason, of which there are few
        self._untold: Counter[str] = Counter()
        self._latencies: dict[int, deque[float]] = {}
        self._alerts: dict[int, deque[Alert]] = {}

    def publish(self, partition: int, effects: Iterable[Effect]) -> list[Promote]:
        """Send the outputs of a task; return the promotions asked for, which are not outputs."""
        outgoing: list[Outgoing] = []
        latencies: list[float] = []
        promotions: list[Promote] = []
        for effect in effects:
            if isinstance(effect, Prediction):
                outgoing.append(self._sink.prediction(effect))
                latencies.append(effect.latency_ms / 1000.0)
            elif isinstance(effect, Alert):
                outgoing.append(self._sink.alert(effect))
                self._alerts.setdefault(partition, deque(maxlen=ALERTS)).append(effect)
                self._alerted(effect)
            elif isinstance(effect, Rejected):
                outgoing.append(self._sink.dead_letter(effect))
                self._telemetry.add_dead_letters(effect.reason, 1)
                self._tell_of(effect)
            else:
                promotions.append(effect)
        if outgoing:
            self._delivery.send(partition, outgoing)
        if latencies:
            self._telemetry.observe_latency(latencies)
            self._latencies.setdefault(partition, deque(maxlen=LATENCIES)).extend(latencies)
        return promotions

    def _tell_of(self, rejected: Rejected) -> None:
        """Log a dead letter, unless one with its reason was told of a moment ago: a topic of nothing else would flood
        the log. How many there were meanwhile is told with the next, or when the worker reports.
        """
        now, reason = self._timer(), rejected.reason
        if reason in self._told_at and now - self._told_at[reason] < QUIET:
            self._untold[reason] += 1
            return
        self._told_at[reason] = now
        log.warning("dead_letter", reason=reason, message=rejected.message, **self._meanwhile(reason))

    def _meanwhile(self, reason: str) -> dict[str, int]:
        more = self._untold.pop(reason, 0)
        return {"more": more} if more else {}

    def tell_the_rest(self) -> None:
        """Log how many dead letters there were that no line was about, by reason."""
        now = self._timer()
        for reason in [reason for reason in self._untold if now - self._told_at[reason] >= QUIET]:
            self._told_at[reason] = now
            log.warning("dead_letters", reason=reason, **self._meanwhile(reason))

    def _alerted(self, alert: Alert) -> None:
        if alert.over:
            self._telemetry.add_drift_over(alert.kind, alert.state or "")
            log.info("drift_over", **_evidence(alert))
        else:
            self._telemetry.add_alerts(alert.kind)
            log.warning("alert", **_evidence(alert))

    def account(self, partition: int, state: TaskState) -> None:
        """Bring the counters up to what the task has counted."""
        before = self._counted.get(partition, Counter())
        for (topic, outcome), n in (state.counts - before).items():
            if topic == "predictions":
                self._telemetry.add_expired_predictions(n)
            else:
                self._telemetry.add_records(_topic(topic), outcome, n)
        self._counted[partition] = Counter(state.counts)
        self._telemetry.set_waiting(partition, pending=state.pending.waiting, held=state.pending.held)

    def report(self, task: Task, lags: Mapping[Topic, int]) -> Report:
        """Show how a task does: scores, detectors, faults, and how far it is behind the end of its topics. Returns what
        it took some reckoning to know.
        """
        state = task.engine.state
        report = report_of(state)._replace(
            lags=lags,
            latencies=self._latencies.pop(task.partition, ()),
            alerts=self._alerts.pop(task.partition, ()),
        )
        self._telemetry.set_scores(task.partition, report.scores)
        self._telemetry.set_class_scores(task.partition, report.classes)
        if state.judge.threshold is not None:
            self._telemetry.set_decision_threshold(task.partition, state.judge.threshold)
        self._telemetry.set_readings(task.partition, report.readings)
        self._telemetry.set_open_drifts(task.partition, report.drifts)
        contestants = Counter(one.stage.value for one in state.adaptation.contestants)
        self._telemetry.set_challengers(task.partition, contestants, len(state.adaptation.library.models))
        self._telemetry.set_faults(task.partition, state.champion.faults)
        starvation = state.starvation
        self._telemetry.set_labels(
            task.partition, starvation.starved, starvation.vanished, starvation.joined, report.delays
        )
        self._telemetry.set_fit(task.partition, report.fit)
        for topic, records in report.lags.items():
            self._telemetry.set_lag(topic, task.partition, records)
        return report

    def opened(self, partition: int, state: TaskState) -> None:
        """A task starts here with counts from elsewhere, which that worker has reported."""
        self._counted[partition] = Counter(state.counts)
        self._latencies.pop(partition, None)
        self._alerts.pop(partition, None)


def _topic(name: str) -> Topic:
    assert name in OUTCOMES
    return "events" if name == "events" else "labels"


def _evidence(alert: Alert) -> dict[str, object]:
    """What a log line tells of an alert: everything that is known and fits a line, nothing that is not."""
    known = {name: getattr(alert, name) for name in alert.__struct_fields__ if name not in _NOT_LOGGED}
    with_ = [one.feature or one.detector for one in alert.contributors[1:]]
    return {name: value for name, value in (known | {"with": with_}).items() if value not in (None, [])}
