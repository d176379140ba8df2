"""Every Prometheus metric of a worker: its name, its labels, and the one method that changes it.

A worker calls these per span, not per record, from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from detectors.base import Reading
from stream.series import Tables, Values

Topic: TypeAlias = Literal["events", "labels"]
Stage: TypeAlias = Literal["decode", "engine", "produce", "commit"]
Server: TypeAlias = Literal["redis", "kafka"]

OUTCOMES: Final[Mapping[Topic, tuple[str, ...]]] = {
    "events": ("predicted", "duplicate", "dead_lettered"),
    "labels": ("joined", "expired", "duplicate", "dead_lettered"),
}
"""Every end an input record can come to. Over these, and the labels still held, counters add up to the input."""

SWAP_REASONS: Final = ("first", "beat_champion", "promoted", "rollback", "other")
ALERT_KINDS: Final = (
    "concept_drift",
    "data_drift",
    "prediction_drift",
    "data_quality",
    "performance",
    "label_starvation",
    "model_swap",
    "rollback",
)
DRIFT_KINDS: Final = ("concept_drift", "data_drift", "prediction_drift", "data_quality")
OVER: Final = ("recovered", "settled")
"""How a drift can end."""

STAGES: Final[tuple[Stage, ...]] = ("decode", "engine", "produce", "commit")
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Telemetry:
    """The metrics of one worker process, which serves the model named `model`."""

    def __init__(self, model: str) -> None:
        self.model = model
        tables = self._tables = Tables()
        counter, gauge = tables.counter, tables.gauge
        self._records = counter("driftline_records_total", "Input records, by how they ended.", "topic", "outcome")
        self._expired = counter("driftline_predictions_expired_total", "Predictions whose label never came in time.")
        self._dead_letters = counter("driftline_dead_letters_total", "Records sent to dead letters.", "reason")
        self._alerts = counter("driftline_alerts_total", "Alerts raised; that a drift is over is none.", "kind")
        self._over = counter("driftline_drifts_over_total", "Drifts that were told and are over.", "kind", "state")
        self._drifts = gauge("driftline_open_drifts", "Drifts that were told and are not over.", "kind", "partition")
        self._swaps = counter("driftline_swaps_total", "Changes of the serving model.", "reason")
        self._refused = counter("driftline_models_refused_total", "Models not loaded: untrusted or unusable.")
        self._rebalances = counter("driftline_rebalances_total", "Times partitions were assigned or revoked.")
        self._pending = gauge("driftline_pending_labels", "Predictions waiting for their label.", "partition")
        self._held = gauge("driftline_held_labels", "Labels waiting for their event.", "partition")
        self._faults = gauge("driftline_learner_faults", "Rows the serving learner could not take.", "partition")
        self._lag = gauge("driftline_lag_records", "Records of the topic not taken yet.", "topic", "partition")
        self._score = gauge(
            "driftline_score",
            "Windowed prequential score of the champion and of the baselines beside it.",
            *("model", "metric", "source", "partition"),
        )
        by = ("detector", "feature", "partition")
        self._statistic = gauge("driftline_detector_statistic", "Newest statistic, in the detector's own unit.", *by)
        self._threshold = gauge("driftline_detector_threshold", "Statistic from which the detector says drift.", *by)
        self._state = gauge("driftline_detector_state", "0 warm-up, 1 stable, 2 warning, 3 drift.", *by)
        self._dependence = gauge(
            "driftline_errors_dependence", "Errors that say as much as one independent error would; 1 is best.", *by
        )
        self._info = gauge("driftline_model_info", "1 for the serving model.", "model", "version", "digest", "recipe")
        self._bytes = gauge("driftline_model_bytes", "Size of the serving model's signed artifact.", "model")
        self._snapshot_time = gauge(
            "driftline_snapshot_timestamp_seconds", "When the task's newest stored snapshot was taken.", "partition"
        )
        self._snapshot_bytes = gauge("driftline_snapshot_bytes", "Size of that snapshot.", "partition")
        self._snapshot_failures = counter("driftline_snapshot_failures_total", "Snapshots that could not be stored.")
        self._gaps = counter(
            "driftline_resume_gap_records_total", "Records that a resumed task will never have learned from."
        )
        self._fenced = counter("driftline_fenced_total", "Commits refused because somebody else had taken over.")
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
        for kind in DRIFT_KINDS:
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
        """The serving model was changed. A reason that is not one of `SWAP_REASONS` counts as `other`."""
        self._add(self._swaps, 1, reason if reason in SWAP_REASONS else "other")

    def add_refused_model(self) -> None:
        """A model in the store was not loaded because it is untrusted or unusable."""
        self._add(self._refused, 1)

    def add_rebalance(self) -> None:
        """Partitions were assigned or revoked."""
        self._add(self._rebalances, 1)

    def add_snapshot_failure(self) -> None:
        """A snapshot could not be made, or its store was away. Tried again later."""
        self._add(self._snapshot_failures, 1)

    def observe_latency(self, seconds: Sequence[float]) -> None:
        """Latencies of a span's predictions."""
        with self._tables.lock:
            self._latency.observe((), seconds)

    def observe_span(self, stage: Stage, seconds: float) -> None:
        """Time that a span took in one stage."""
        with self._tables.lock:
            self._span.observe((stage,), (seconds,))

    # as it stands now

    def set_waiting(self, partition: int, *, pending: int, held: int) -> None:
        """Predictions that wait for their labels, and labels that wait for their events."""
        with self._tables.lock:
            self._pending.set((str(partition),), pending)
            self._held.set((str(partition),), held)

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
        with self._tables.lock:
            self._score.drop("partition", str(partition))
            for source, metrics in scores.items():
                for metric, value in metrics.items():
                    self._score.set((self.model, metric, source, str(partition)), value)

    def set_readings(self, partition: int, readings: Mapping[tuple[str, str], Reading]) -> None:
        """All newest readings of a task, by (detector, feature); the feature of a concept detector is empty."""
        with self._tables.lock:
            for values in (self._statistic, self._threshold, self._state, self._dependence):
                values.drop("partition", str(partition))
            for (detector, feature), reading in readings.items():
                labels = (detector, feature, str(partition))
                self._state.set(labels, int(reading.state))
                if reading.statistic is not None:
                    self._statistic.set(labels, reading.statistic)
                if reading.threshold is not None:
                    self._threshold.set(labels, reading.threshold)
                if reading.dependence is not None:
                    self._dependence.set(labels, reading.dependence)

    def set_open_drifts(self, partition: int, drifts: Mapping[str, int]) -> None:
        """Drifts of a task, by kind, that were told and are not over."""
        with self._tables.lock:
            for kind in DRIFT_KINDS:
                self._drifts.set((kind, str(partition)), drifts.get(kind, 0))

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

    def set_up(self, server: Server, up: bool) -> None:
        """Whether a server answers."""
        with self._tables.lock:
            self._up[server].set((), up)

    def forget(self, partition: int) -> None:
        """The partition is another worker's now: what described it goes, what was counted stays."""
        with self._tables.lock:
            self._tables.drop("partition", str(partition))

    # read

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics and their content type, in the exposition format that suits an Accept header."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _add(self, values: Values, n: int, *labels: str) -> None:
        with self._tables.lock:
            values.add(labels, n)
