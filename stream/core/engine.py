"""The engine of one task: takes spans of events and labels with the time, returns effects. Pure: no I/O, no clock, no
thread.

Everything that must survive together is in one `TaskState`, which pickles. What the engine is told and in which order
(spans, times, commands) determines all that it does.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from detectors.base import Signal, State
from learners import registry
from learners.base import Learner, Schema
from learners.baselines import baselines_for
from stream.config.model import Config
from stream.core.adaptation import Adaptation
from stream.core.monitors import Cooldown, Monitors, alert_id, evidence, severity
from stream.core.pending import Joined, Pending, Waiting
from stream.core.problem import judge_for
from stream.core.scores import Scores, Track
from stream.records import Alert, Command, Effect, Event, Label, Prediction, Promote, Span, Swap

MAX_AHEAD = 3600.0
"""Seconds that record time may run ahead of the time passed in. A clock that jumps further is not believed."""


class TaskState:
    """All that a task must not lose: models, detectors, pending predictions, scores, counts and the input positions."""

    def __init__(self, config: Config) -> None:
        schema = Schema(tuple(config.events.numeric), tuple(config.events.categorical))
        model = config.model
        self.judge = judge_for(
            model.problem,
            threshold=model.threshold,
            absolute=config.detectors.error == "absolute",
            error_scale=config.detectors.error_scale,
        )
        self.champion: Learner[Any] = registry.build(model.learner, model.problem, schema, model.seed)
        self.version = 0
        self.baselines = baselines_for(model.problem)
        self.monitors = Monitors(config)
        self.adaptation = Adaptation(config.adaptation, self.judge)
        self.pending = Pending(config.labels.ttl, config.labels.max_pending)
        self.scores = Scores(["champion", *(name for name, _ in self.baselines)], config.scores.window)
        self.cooldown = Cooldown(config.alerts.cooldown)
        self.events = Track()
        self.labels = Track()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.stream_time = 0.0
        self.positions: dict[str, int] = {}


class Engine:
    """Processes the stream of one partition."""

    def __init__(self, config: Config, partition: int, state: TaskState | None = None) -> None:
        self.config = config
        self.partition = partition
        self.state = state or TaskState(config)

    def process(self, span: Span, now: float) -> list[Effect]:
        """Take events, then labels, at time `now`; return what is to be done about it, in order.

        `now` (seconds since the epoch) only stamps latency and bounds how far record time is believed.
        """
        effects: list[Effect] = []
        for rejected in span.rejected:
            topic = "events" if rejected.topic == self.config.topics.events else "labels"
            self._count(topic, "dead_lettered")
            self._reached(topic, rejected.offset)
            effects.append(rejected)
        if span.events:
            self._take_events(span.events, now, (now - span.received) * 1000.0, effects)
        if span.labels:
            self._take_labels(span.labels, now, effects)
        predictions, labels = self.state.pending.expire(self.state.stream_time)
        self._count("predictions", "expired", predictions)
        self._count("labels", "expired", labels)
        return effects

    def command(self, command: Command, now: float) -> list[Effect]:
        """Apply what was decided outside the stream: a swap, or a promotion that was refused."""
        state = self.state
        if not isinstance(command, Swap):
            state.adaptation.drop()
            return []
        before = state.version
        state.champion, state.version = command.learner, command.version
        state.adaptation.drop()
        state.monitors.reset_concept()
        if before == 0:
            return []
        offset = state.positions.get("events", 0)
        kind = "rollback" if command.reason == "rollback" else "model_swap"
        detail = f"version {before} to {command.version}: {command.reason}"
        return [self._alert(kind, state.stream_time, offset, "swapped", {"detail": detail})]

    # events

    def _take_events(self, events: list[Event], now: float, latency_ms: float, effects: list[Effect]) -> None:
        """Predict a span of events. One that has its label already is learned from before the next is predicted."""
        pending = self.state.pending
        knows, has_label_for = pending.knows, pending.has_label_for
        fresh: list[Event] = []
        ids: set[str] = set()
        for event in events:
            id_ = event.id
            if id_ in ids or knows(id_):
                self._count("events", "duplicate")
                continue
            fresh.append(event)
            ids.add(id_)
            if event.label is not None or has_label_for(id_):
                self._predict(fresh, now, latency_ms, effects)
                self._learn_at_once(event, effects)
                fresh, ids = [], set()
        if fresh:
            self._predict(fresh, now, latency_ms, effects)
        self._reached("events", events[-1].offset)

    def _predict(self, events: list[Event], now: float, latency_ms: float, effects: list[Effect]) -> None:
        state = self.state
        rows = [event.features for event in events]
        outputs = state.champion.predict(rows)
        everyones = zip(outputs, *(learner.predict(rows) for _, learner in state.baselines), strict=True)
        challenger = state.adaptation.challenger
        rivals = challenger.learner.predict(rows) if challenger is not None else [None] * len(rows)
        model, version, partition = self.config.model.name, state.version, self.partition
        audited, wait, time = self.config.audit.features, state.pending.add, state.stream_time
        ahead = now + MAX_AHEAD
        each = zip(events, everyones, state.judge.answers(outputs), rivals, strict=True)
        for event, made, (answer, probabilities), rival in each:
            if time < event.timestamp <= ahead:
                time = event.timestamp
            features, offset, key = event.features, event.offset, event.key
            wait(event.id, Waiting(features, made, rival, version, time, offset))
            effects.append(
                Prediction(
                    event.id,
                    None if key is None else key.decode(errors="replace"),
                    event.time,
                    answer,
                    probabilities,
                    model,
                    version,
                    latency_ms,
                    partition,
                    offset,
                    features if audited else None,
                )
            )
        state.stream_time = time
        self._reached("events", events[-1].offset)
        self._count("events", "predicted", len(events))
        before = state.events.count
        state.events.note(len(events), lambda i: (events[i].offset, events[i].timestamp))
        for name, signal in state.monitors.observe_rows(rows):
            if signal.reading.state is State.DRIFT:
                event = events[signal.index]
                effects.extend(self._drift("data_drift", name, signal, (event.offset, event.timestamp), before))

    def _learn_at_once(self, event: Event, effects: list[Effect]) -> None:
        """Join the event just predicted with the label that came with it or before it."""
        pending = self.state.pending
        label = event.label
        if pending.has_label_for(event.id):
            early = pending.take_early(event.id)
            self._count("labels", "joined" if label is None else "duplicate")
            label = early.label if label is None else label
        waiting = pending.join(event.id)
        if waiting is not None and label is not None:
            self._learn(Joined([waiting], [label], [self.state.stream_time]), effects)

    # labels

    def _take_labels(self, labels: list[Label], now: float, effects: list[Effect]) -> None:
        state = self.state
        join = state.pending.join
        joined = Joined([], [], [])
        time, ahead = state.stream_time, now + MAX_AHEAD
        for label in labels:
            if time < label.timestamp <= ahead:
                time = label.timestamp
            waiting = join(label.id)
            if waiting is not None:
                joined.waiting.append(waiting)
                joined.labels.append(label.label)
                joined.times.append(time)
            elif not state.pending.hold(label, time):
                self._count("labels", "duplicate")
        state.stream_time = time
        self._count("labels", "joined", len(joined.labels))
        self._reached("labels", labels[-1].offset)
        if joined.labels:
            self._learn(joined, effects)

    def _learn(self, joined: Joined, effects: list[Effect]) -> None:
        """Score, detect, learn and adapt, in that order, on labels that found their predictions."""
        state, labels = self.state, joined.labels
        rows = [waiting.features for waiting in joined.waiting]
        state.scores.record(state.judge, labels, [waiting.outputs for waiting in joined.waiting])
        before = state.labels.count
        state.labels.note(len(labels), joined.place)
        signals = self._errors_observed(joined)
        state.champion.learn(rows, labels)
        for _, learner in state.baselines:
            learner.learn(rows, labels)

        done = 0
        for name, signal in signals:
            self._teach_challenger(joined.part(done, signal.index + 1), effects)
            done = signal.index + 1
            self._on_concept_signal(name, signal, joined.place(signal.index), before, effects)
        self._teach_challenger(joined.part(done, len(labels)) if done else joined, effects)

    def _errors_observed(self, joined: Joined) -> list[tuple[str, Signal]]:
        """Show the champion's errors to the concept detectors; their signals, at positions in `joined`.

        Labels of another version's predictions say nothing of how this one errs.
        """
        state = self.state
        own = [index for index, waiting in enumerate(joined.waiting) if waiting.version == state.version]
        labels = joined.labels if len(own) == len(joined.labels) else [joined.labels[index] for index in own]
        errors = state.judge.errors([joined.waiting[index].outputs[0] for index in own], labels)
        skipped = len(own) - len(errors)
        return [
            (name, signal._replace(index=own[skipped + signal.index]))
            for name, signal in state.monitors.observe_errors(errors)
        ]

    def _on_concept_signal(
        self, name: str, signal: Signal, at: tuple[int, float], before: int, effects: list[Effect]
    ) -> None:
        state, adaptation = self.state, self.state.adaptation
        drift = signal.reading.state is State.DRIFT
        started = False
        if drift or adaptation.starts_on_warning():
            started = adaptation.start(state.champion, state.positions.get("events", 0), at[1])
        if drift:
            action = "challenger_started" if started else "challenger_learning" if adaptation.challenger else "none"
            effects.extend(self._drift("concept_drift", name, signal, at, before, action))

    def _teach_challenger(self, joined: Joined, effects: list[Effect]) -> None:
        adaptation = self.state.adaptation
        challenger = adaptation.challenger
        if challenger is None or not joined.labels:
            return
        won = adaptation.step(joined)
        if won is not None:
            scores = {"champion_loss": won.champion_loss, "challenger_loss": won.challenger_loss}
            reason, version = "beat_champion", self.state.version
            effects.append(Promote(challenger.learner, version, reason, scores, won.labels, won.offset, won.timestamp))

    # alerts and accounts

    def _drift(
        self, kind: str, detector: str, signal: Signal, at: tuple[int, float], before: int, action: str = "none"
    ) -> list[Effect]:
        """The alert of a DRIFT signal at an offset and time, unless the same was said a short while ago.

        `before` is how many values its stream had before the observed span.
        """
        offset, ts = at
        if not self.state.cooldown.allows((kind, detector, signal.feature or ""), ts):
            return []
        track = self.state.labels if kind == "concept_drift" else self.state.events
        known = evidence(detector, signal, track, before + signal.index + 1, at)
        return [self._alert(kind, ts, offset, action, known)]

    def _alert(self, kind: str, ts: float, offset: int, action: str, known: dict[str, Any]) -> Alert:
        what = (known.get("detector"), known.get("feature"), known.get("detail"))
        return Alert(
            id=alert_id(self.config.app, self.partition, kind, offset, *what),
            ts=ts,
            kind=kind,
            severity=severity(kind),
            model=self.config.model.name,
            model_version=self.state.version,
            partition=self.partition,
            offset=offset,
            action=action,
            **known,
        )

    def _count(self, topic: str, outcome: str, n: int = 1) -> None:
        if n:
            self.state.counts[topic, outcome] += n

    def _reached(self, topic: str, offset: int) -> None:
        self.state.positions[topic] = max(offset + 1, self.state.positions.get(topic, 0))
