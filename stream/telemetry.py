"""Every Prometheus metric of a worker: its name, its labels, and the one method that changes it.

A worker calls these per span, not per record, from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from detectors.base import Reading
from stream.core.fit import Health
from stream.records import OVER, cause_of
from stream.series import Metadata, Tables, Values

if TYPE_CHECKING:
    from stream.tracing import Traces

Topic: TypeAlias = Literal["events", "labels"]
Stage: TypeAlias = Literal["decode", "engine", "produce", "commit"]
Server: TypeAlias = Literal["redis", "kafka"]

OUTCOMES: Final[Mapping[Topic, tuple[str, ...]]] = {
    "events": ("predicted", "duplicate", "dead_lettered"),
    "labels": ("joined", "expired", "duplicate", "dead_lettered"),
}
"""Every end an input record can come to. Over these, and the labels still held, counters add up to the input."""

WEBHOOK_OUTCOMES: Final = ("delivered", "retried", "refused", "given_up")
SWAP_REASONS: Final = ("first", "beat_champion", "recurring", "reset", "promoted", "rollback", "other")
DRIFT_KINDS: Final = ("concept_drift", "data_drift", "prediction_drift", "data_quality")
HEALTH_KINDS: Final = ("performance", "label_starvation")
ALERT_KINDS: Final = (*DRIFT_KINDS, *HEALTH_KINDS, "model_swap", "rollback")
CHALLENGER_STAGES: Final = ("training", "candidate", "proposed", "shadow")
STAGES: Final[tuple[Stage, ...]] = ("decode", "engine", "produce", "commit")
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Telemetry:
    """The metrics of one worker process, which serves the model named `model`; and its `traces`, if it is traced."""

    def __init__(self, model: str, traces: Traces | None = None) -> None:
        self.model = model
        self._traces = traces
        tables = self._tables = Tables()
        counter, gauge = tables.counter, tables.gauge
        self._records = counter("driftline_records_total", "Input records, by how they ended.", "topic", "outcome")
        self._expired = counter("driftline_predictions_expired_total", "Predictions whose label never came in time.")
        self._dead_letters = counter("driftline_dead_letters_total", "Records sent to dead letters.", "reason")
        self._alerts = counter("driftline_alerts_total", "Alerts raised; that a drift is over is none.", "kind")
        self._over = counter("driftline_drifts_over_total", "Drifts that were told and are over.", "kind", "state")
        self._drifts = gauge("driftline_open_drifts", "Drifts that were told and are not over.", "kind", "partition")
        self._challengers = gauge("driftline_challengers", "Models in the champion's shadow.", "stage", "partition")
        self._library = gauge("driftline_library_models", "Retired champions that may come back.", "partition")
        self._swaps = counter("driftline_swaps_total", "Changes of the serving model.", "reason")
        self._refused = counter("driftline_models_refused_total", "Models not loaded: untrusted or unusable.")
        self._rebalances = counter("driftline_rebalances_total", "Times partitions were assigned or revoked.")
        self._pending = gauge("driftline_pending_labels", "Predictions waiting for their label.", "partition")
        self._held = gauge("driftline_held_labels", "Labels waiting for their event.", "partition")
        self._starved = gauge("driftline_label_starvation", "1 while far fewer labels come than usual.", "partition")
        self._vanished = gauge(
            "driftline_vanished_classes", "Classes whose labels have stopped coming, or never came.", "partition"
        )
        self._join_rate = gauge("driftline_label_join_rate", "Usual share of events that get a label.", "partition")
        self._delay = gauge(
            "driftline_label_delay_seconds", "Usual time from an event to its label.", "quantile", "partition"
        )
        self._gap = gauge(
            "driftline_fit_gap",
            "Share of a model's loss that is gone once events are learned: 0 is best, 1 is learned by heart.",
            *("model", "source", "partition"),
        )
        self._curve = gauge(
            "driftline_fit_loss",
            "Mean prequential loss over the newest stretch of a model's learning curve.",
            *("model", "source", "partition"),
        )
        self._regularization = gauge(
            "driftline_regularization",
            "Settings that decide how closely a model fits what it learns from.",
            *("model", "source", "setting", "partition"),
        )
        self._faults = gauge("driftline_learner_faults", "Rows the serving learner could not take.", "partition")
        self._lag = gauge("driftline_lag_records", "Records of the topic not taken yet.", "topic", "partition")
        self._score = gauge(
            "driftline_score",
            "Windowed prequential score of the champion and of the baselines beside it.",
            *("model", "metric", "source", "partition"),
        )
        self._class_score = gauge(
            "driftline_class_score",
            "Recall, precision and support of each class, over the labels that are kept of it.",
            *("model", "metric", "class", "partition"),
        )
        self._decision = gauge(
            "driftline_decision_threshold", "Probability from which a prediction is true.", "model", "partition"
        )
        by = ("detector", "feature", "partition")
        self._statistic = gauge("driftline_detector_statistic", "Newest statistic, in the detector's own unit.", *by)
        self._threshold = gauge("driftline_detector_threshold", "Statistic from which the detector says drift.", *by)
        self._state = gauge("driftline_detector_state", "0 warm-up, 1 stable, 2 warning, 3 drift.", *by)
        self._dependence = gauge(
            "driftline_errors_dependence", "Errors that say as much as one independent error would; 1 is best.", *by
        )
        self._feature_dependence = gauge(
            "driftline_features_dependence", "Values that say as much as one independent value would; 1 is best.", *by
        )
        self._info = gauge("driftline_model_info", "1 for the serving model.", "model", "version", "digest", "recipe")
        self._bytes = gauge("driftline_model_bytes", "Size of the serving model's signed artifact.", "model")
        self._turned = gauge("driftline_loop_timestamp_seconds", "When the worker's loop last reported that it turns.")
        self._snapshot_time = gauge(
            "driftline_snapshot_timestamp_seconds", "When the task's newest stored snapshot was taken.", "partition"
        )
        self._snapshot_bytes = gauge("driftline_snapshot_bytes", "Size of that snapshot.", "partition")
        self._snapshot_failures = counter("driftline_snapshot_failures_total", "Snapshots that could not be stored.")
        self._gaps = counter(
            "driftline_resume_gap_records_total", "Records that a resumed task will never have learned from."
        )
        self._fenced = counter("driftline_fenced_total", "Commits refused because somebody else had taken over.")
        self._untold = counter(
            "driftline_history_dropped_total", "Points of the history that could not be kept, as Redis was away."
        )
        self._webhooks = counter(
            "driftline_webhook_deliveries_total", "Attempts to post an alert, by how they ended.", "hook", "outcome"
        )
        self._up: Mapping[Server, Values] = {
            "redis": gauge("driftline_redis_up", "1 while the model store answers."),
            "kafka": gauge("driftline_kafka_up", "1 while the broker answers."),
        }
        self._latency = tables.histogram(
            "driftline_prediction_latency_seconds", "From the event in hand to its prediction made.", bounds=BUCKETS
        )
        self._span = tables.histogram(
            "driftline_span_seconds",
            "Time a span takes in each stage of the worker; commits go on beside the others.",
            "stage",
            bounds=BUCKETS,
        )
        self._show_from_the_start()
        self._registry = CollectorRegistry()
        self._registry.register(tables)
        ProcessCollector(registry=self._registry)

    def _show_from_the_start(self) -> None:
        """A series that is there at zero lets an alert rule see its first increase."""
        for topic, outcomes in OUTCOMES.items():
            for outcome in outcomes:
                self._records.add((topic, outcome), 0)
        for kind in ALERT_KINDS:
            self._alerts.add((kind,), 0)
        for kind in (*DRIFT_KINDS, *HEALTH_KINDS):
            for state in OVER:
                self._over.add((kind, state), 0)
        for reason in SWAP_REASONS:
            self._swaps.add((reason,), 0)
        for values in (
            self._expired,
            self._rebalances,
            self._refused,
            self._snapshot_failures,
            self._gaps,
            self._fenced,
            self._untold,
            *self._up.values(),
        ):
            values.add((), 0)
        self._latency.observe((), ())
        for stage in STAGES:
            self._span.observe((stage,), ())

    # counted: goes up only

    def add_records(self, topic: Topic, outcome: str, n: int) -> None:
        """`n` more input records ended in `outcome`, one of `OUTCOMES[topic]`. Raises ValueError for another."""
        if outcome not in OUTCOMES[topic]:
            raise ValueError(f"{topic} cannot end as {outcome!r}; expected one of {', '.join(OUTCOMES[topic])}")
        self._add(self._records, n, topic, outcome)

    def add_expired_predictions(self, n: int) -> None:
        """`n` more predictions gave up waiting for their label."""
        self._add(self._expired, n)

    def add_gap(self, n: int) -> None:
        """`n` more records were lost to the models, because the log no longer held what a resume needed."""
        self._add(self._gaps, n)

    def add_fenced(self) -> None:
        """A commit was refused because somebody else had taken over."""
        self._add(self._fenced, 1)

    def add_dead_letters(self, reason: str, n: int) -> None:
        """`n` more records were sent to dead letters for `reason`, the code in their header."""
        self._add(self._dead_letters, n, reason)

    def add_alerts(self, kind: str, n: int = 1) -> None:
        """`n` more alerts of a kind were published."""
        self._add(self._alerts, n, kind)

    def add_drift_over(self, kind: str, state: str) -> None:
        """A drift of a kind has ended, in one of the states `OVER`."""
        self._add(self._over, 1, kind, state)

    def add_swap(self, reason: str) -> None:
        """The serving model was changed. A cause that is none of `SWAP_REASONS` counts as `other`."""
        cause = cause_of(reason)
        self._add(self._swaps, 1, cause if cause in SWAP_REASONS else "other")

    def add_refused_model(self) -> None:
        """A model in the store was not loaded because it is untrusted or unusable."""
        self._add(self._refused, 1)

    def add_rebalance(self) -> None:
        """Partitions were assigned or revoked."""
        self._add(self._rebalances, 1)

    def add_snapshot_failure(self) -> None:
        """A snapshot could not be made, or its store was away. Tried again later."""
        self._add(self._snapshot_failures, 1)

    def add_history_dropped(self, n: int) -> None:
        """`n` more points of the history could not be kept."""
        self._add(self._untold, n)

    def show_webhook(self, hook: str) -> None:
        """There is a webhook of this name: none of its attempts has ended yet."""
        for outcome in WEBHOOK_OUTCOMES:
            self._add(self._webhooks, 0, hook, outcome)

    def add_webhook(self, hook: str, outcome: str) -> None:
        """An attempt to post an alert ended in one of `WEBHOOK_OUTCOMES`."""
        self._add(self._webhooks, 1, hook, outcome)

    def observe_latency(self, seconds: Sequence[float]) -> None:
        """Latencies of a span's predictions."""
        with self._tables.lock:
            self._latency.observe((), seconds)

    def observe_span(
        self, stage: Stage, seconds: float, facts: Callable[[], Mapping[str, int]] = dict[str, int]
    ) -> None:
        """Time that a span took in one stage, which has just ended. `facts` says for a trace what it was, and is asked
        only where there is one.
        """
        with self._tables.lock:
            self._span.observe((stage,), (seconds,))
        if self._traces is not None:
            self._traces.add(stage, seconds, facts())

    # as it stands now

    def set_waiting(self, partition: int, *, pending: int, held: int) -> None:
        """Predictions that wait for their labels, and labels that wait for their events."""
        with self._tables.lock:
            self._pending.set((str(partition),), pending)
            self._held.set((str(partition),), held)

    def set_labels(
        self, partition: int, starved: bool, vanished: int, joined: float, delay: Mapping[str, float]
    ) -> None:
        """Whether labels come: far fewer than usual, classes that have stopped, the usual share of events that get one,
        and quantiles of their delay in seconds by name (p50, ...).
        """
        of = (str(partition),)
        with self._tables.lock:
            self._starved.set(of, starved)
            self._vanished.set(of, vanished)
            self._join_rate.set(of, joined)
            for name, seconds in delay.items():
                self._delay.set((name, *of), seconds)

    def set_fit(self, partition: int, models: Mapping[str, Health]) -> None:
        """How the models of a task fit, by source (champion, baselines, ...); one left out is no longer shown."""
        with self._tables.lock:
            for values in (self._gap, self._curve, self._regularization):
                values.drop("partition", str(partition))
            for source, health in models.items():
                of = (self.model, source)
                if health.gap is not None:
                    self._gap.set((*of, str(partition)), health.gap)
                if health.curve:
                    self._curve.set((*of, str(partition)), health.curve[-1].loss)
                for setting, value in health.regularization.items():
                    self._regularization.set((*of, setting, str(partition)), value)

    def set_faults(self, partition: int, rows: int) -> None:
        """Rows that the serving learner could neither predict nor learn from, since it began to learn."""
        with self._tables.lock:
            self._faults.set((str(partition),), rows)

    def set_lag(self, topic: Topic, partition: int, records: int) -> None:
        """Records between the task's position and the end of the topic."""
        with self._tables.lock:
            self._lag.set((topic, str(partition)), records)

    def set_scores(self, partition: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        """All scores of a task, by source (champion, baselines) and metric; one left out is no longer shown."""
        self._set_scores(self._score, partition, scores)

    def set_class_scores(self, partition: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        """The serving model's scores of a task, by class and metric; one left out is no longer shown."""
        self._set_scores(self._class_score, partition, scores)

    def set_decision_threshold(self, partition: int, threshold: float) -> None:
        """The probability from which a prediction of a task is true."""
        with self._tables.lock:
            self._decision.set((self.model, str(partition)), threshold)

    def set_readings(self, partition: int, readings: Mapping[tuple[str, str], Reading]) -> None:
        """All newest readings of a task, by (detector, feature); the feature of a concept detector is empty."""
        with self._tables.lock:
            by_detector = self._statistic, self._threshold, self._state, self._dependence, self._feature_dependence
            for values in by_detector:
                values.drop("partition", str(partition))
            for (detector, feature), reading in readings.items():
                labels = (detector, feature, str(partition))
                self._state.set(labels, int(reading.state))
                if reading.statistic is not None:
                    self._statistic.set(labels, reading.statistic)
                if reading.threshold is not None:
                    self._threshold.set(labels, reading.threshold)
                if reading.dependence is not None:
                    (self._feature_dependence if feature else self._dependence).set(labels, reading.dependence)

    def set_open_drifts(self, partition: int, drifts: Mapping[str, int]) -> None:
        """Drifts of a task, by kind, that were told and are not over."""
        with self._tables.lock:
            for kind in DRIFT_KINDS:
                self._drifts.set((kind, str(partition)), drifts.get(kind, 0))

    def set_challengers(self, partition: int, stages: Mapping[str, int], library: int) -> None:
        """Models in the champion's shadow, by stage, and retired champions that are kept."""
        with self._tables.lock:
            for stage in CHALLENGER_STAGES:
                self._challengers.set((stage, str(partition)), stages.get(stage, 0))
            self._library.set((str(partition),), library)

    def set_model(self, version: int, digest: str, recipe: str, size: int) -> None:
        """The model that serves from now on; `size` in bytes. Before anything was published: 0, "", its recipe, 0."""
        with self._tables.lock:
            self._info.drop("model", self.model)
            self._info.set((self.model, str(version), digest, recipe), 1)
            self._bytes.set((self.model,), size)

    def set_snapshot(self, partition: int, *, taken: float, size: int) -> None:
        """The task's newest stored snapshot: when it was taken (seconds since the epoch), and its bytes."""
        with self._tables.lock:
            self._snapshot_time.set((str(partition),), taken)
            self._snapshot_bytes.set((str(partition),), size)

    def set_turned(self, at: float) -> None:
        """The worker's loop turned `at` this time, in seconds since the epoch."""
        with self._tables.lock:
            self._turned.set((), at)

    def set_up(self, server: Server, up: bool) -> None:
        """Whether a server answers."""
        with self._tables.lock:
            self._up[server].set((), up)

    def forget(self, partition: int) -> None:
        """The partition is another worker's now: what described it goes, what was counted stays."""
        with self._tables.lock:
            self._tables.drop("partition", str(partition))

    # read

    def catalogue(self) -> list[Metadata]:
        """Every metric of a worker's own, whether or not it has a series yet."""
        return self._tables.catalogue()

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics and their content type, in the exposition format that suits an Accept header."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _add(self, values: Values, n: int, *labels: str) -> None:
        with self._tables.lock:
            values.add(labels, n)

    def _set_scores(self, values: Values, partition: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        with self._tables.lock:
            values.drop("partition", str(partition))
            for of, metrics in scores.items():
                for metric, value in metrics.items():
                    values.set((self.model, metric, of, str(partition)), value)
