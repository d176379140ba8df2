"""The engine of one task: takes spans of events and labels with the time, returns effects. Pure: no I/O, no clock, no
thread.

Everything that must survive together is in one `TaskState`, which pickles. The records in their order and the commands
between them determine all that it does; how the records are cut into spans, and the times that are passed in, do not
(but for `latency_ms`, and for records that are more than `MAX_AHEAD` ahead of the time).
"""

from __future__ import annotations

from itertools import pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from detectors.base import Signal, State
from stream.config.model import Config
from stream.core.alerts import AlertMaker
from stream.core.drifts import Drifts
from stream.core.incidents import BLOCK
from stream.core.outputs import predictions, split, topic_of
from stream.core.pending import Joined, Waiting
from stream.core.runs import predict_and_learn
from stream.core.state import TaskState
from stream.core.swaps import swap_alert, win_of
from stream.profile import Profile
from stream.records import (
    Challenge,
    Command,
    Effect,
    Event,
    Label,
    Promote,
    Rejected,
    Span,
    Swap,
    Target,
    Withdraw,
)

MAX_AHEAD = 3600.0
"""Seconds that record time may run ahead of the time passed in. A clock that jumps further is not believed."""


class Taken(NamedTuple):
    """What is to be done, each kind of effect in its order; what was taken of a span, and what is left of it, if
    anything.
    """

    effects: list[Effect]
    span: Span
    rest: Span | None


class Engine:
    """Processes the stream of one partition: from a state on or, without one, from a new one with this profile."""

    def __init__(
        self, config: Config, partition: int, state: TaskState | None = None, profile: Profile | None = None
    ) -> None:
        self.config = config
        self.partition = partition
        self.state = state or TaskState(config, profile)
        self._alerts = AlertMaker(config, partition)
        self._drifts = Drifts(self.state, self._alerts)

    def process(self, span: Span, now: float) -> list[Effect]:
        """Take a whole span, through any promotion that is asked for on the way: for drivers that carry out none.

        `now` (seconds since the epoch) only stamps latency and bounds how far record time is believed.
        """
        effects, _, rest = self.take(span, now)
        while rest is not None:
            more, _, rest = self.take(rest, now)
            effects += more
        return effects

    def take(self, span: Span, now: float) -> Taken:
        """Take events, then labels, at time `now`, up to and with the record at which a promotion is asked for.

        What is left then is to be taken first thing after the promotion was answered, or put off: so each record meets
        the same champion wherever spans are cut.
        """
        effects: list[Effect] = []
        at_event = self._take_events(span, now, effects) if span.events else None
        at_label = self._take_labels(span.labels, now, effects) if span.labels and at_event is None else None
        stopped = at_event is not None or at_label is not None
        taken, rest = split(span, at_event, at_label, self.config) if stopped else (span, None)
        effects[:0] = [*taken.rejected, *self._judge_rejected(taken, now + MAX_AHEAD)]
        unlabelled, unknown = self.state.pending.given_up()
        self.state.count("predictions", "expired", unlabelled)
        self.state.count("labels", "expired", unknown)
        return Taken(effects, taken, rest)

    def command(self, command: Command, now: float) -> list[Effect]:
        """Apply what was decided outside the stream: a swap, a promotion that was refused, or a challenger that comes
        or goes.
        """
        state = self.state
        if isinstance(command, (Challenge, Withdraw)):
            state.take_part(command)
            return []
        if not isinstance(command, Swap):
            state.adaptation.refused()
            return []
        before, won = state.version, win_of(state, command)
        state.serve(command)
        return [swap_alert(self._alerts, state, command, before, won)] if before else []

    @property
    def proposal(self) -> Promote | None:
        """The promotion that was asked for and is not answered yet. Whoever resumes a task from a snapshot takes it up
        before the next record.
        """
        return self.state.adaptation.proposal(self.state.version)

    # events

    def _take_events(self, span: Span, now: float, effects: list[Effect]) -> int | None:
        """Predict the events of a span. One that has its label already is learned from before the next is predicted.

        Returns the offset of the event at which a promotion was asked for; those after it are not taken.
        """
        state, pending = self.state, self.state.pending
        knows, has_label_for, wait = pending.knows, pending.has_label_for, pending.add
        version, time, ahead = state.version, state.stream_time, now + MAX_AHEAD
        latency_ms = (now - span.received) * 1000.0
        fresh, rows = list[Event](), list[Waiting]()
        run, joined, longest = list[Event](), Joined.none(), self._longest_run()
        for event in span.events:
            if time < event.timestamp <= ahead:
                state.stream_time = time = event.timestamp
                if time > pending.expires_at:
                    pending.expire(time)
            id_ = event.id
            if knows(id_):
                state.count("events", "duplicate")
                continue
            waiting = Waiting(event.features, version, time, event.offset)
            if event.label is None and not has_label_for(id_):
                if run:
                    self._take_run(run, joined, latency_ms, effects)
                    run, joined, longest = [], Joined.none(), self._longest_run()
                fresh.append(event)
                rows.append(waiting)
                wait(id_, waiting)
                continue
            if fresh:
                self._predict(fresh, rows, latency_ms, effects)
                fresh, rows = [], []
            run.append(event)
            joined.waiting.append(waiting)
            label, at = self._label_at_once(event)
            joined.labels.append(label)
            joined.times.append(time)
            joined.offsets.append(at)
            if len(run) == longest:
                if self._take_run(run, joined, latency_ms, effects):
                    state.reached("events", event.offset)
                    return event.offset
                run, joined, longest = [], Joined.none(), self._longest_run()
        self._predict(fresh, rows, latency_ms, effects)
        self._take_run(run, joined, latency_ms, effects)
        state.reached("events", span.events[-1].offset)
        return None

    def _label_at_once(self, event: Event) -> tuple[Target, int]:
        """Join an event that is about to be predicted with the label that came with it, or before it; and the offset
        that this came from.
        """
        pending, label, at = self.state.pending, event.label, event.offset
        if pending.has_label_for(event.id):
            early = pending.take_early(event.id)
            self.state.count("labels", "joined" if label is None else "duplicate")
            label, at = (early.label, early.offset) if label is None else (label, at)
        assert label is not None
        pending.settle(event.id)
        return label, at

    def _longest_run(self) -> float:
        """Events with labels that may be gathered at once: none of them may come after a promotion, nor after a
        decision about a challenger that starts among them.
        """
        adaptation = self.state.adaptation
        room = min(self.state.fit.room, self.state.tuner.due)
        return min(room, adaptation.until_decision()) if adaptation.reacts or adaptation.decides else room

    def _take_run(self, events: list[Event], joined: Joined, latency_ms: float, effects: list[Effect]) -> bool:
        """Predict and learn from events in turn; whether the last of them made a promotion be asked for."""
        state, asked, done = self.state, False, 0
        while done < len(events):
            rest = joined.part(done, len(events)) if done else joined
            n, signals = predict_and_learn(rest, state)
            state.scores.record(state.judge, rest.labels[:n], [waiting.outputs for waiting in rest.waiting[:n]])
            for start, end in pairwise([0, *sorted({n, *(signal.index + 1 for _, signal in signals)})]):
                part, told = rest.part(start, end), list[Effect]()
                self._publish(events[done + start : done + end], part.waiting, latency_ms, told, part)
                told += self._drifts.erred(part)
                asked |= self._teach(part, told, learned=True)
                effects += sorted(told, key=attrgetter("offset"))  # an alert comes right after its event's prediction
                for name, signal in signals:
                    if signal.index == end - 1:
                        self._on_concept_signal(name, signal, part.place(-1), effects)
            self._look_at_fit(rest.part(0, n), effects)
            done += n
        state.tuner.settle()
        return asked

    def _predict(self, events: list[Event], waiting: list[Waiting], latency_ms: float, effects: list[Effect]) -> None:
        if not events:
            return
        state, rows = self.state, [event.features for event in events]
        outputs = state.champion.predict(rows)
        everyones = zip(outputs, *(learner.predict(rows) for _, learner in state.baselines), strict=True)
        rivals = state.adaptation.predict(rows)
        for entry, made, rival in zip(waiting, everyones, rivals, strict=True):
            entry.outputs, entry.rivals = made, rival
        self._publish(events, waiting, latency_ms, effects)

    def _publish(
        self,
        events: list[Event],
        waiting: list[Waiting],
        latency_ms: float,
        effects: list[Effect],
        at_once: Joined | None = None,
    ) -> None:
        """Tell what was predicted of events, then how their features and predictions have changed, and whether labels
        stay away; `at_once` are those that came with the events.
        """
        state = self.state
        outputs = [entry.outputs[0] for entry in waiting]
        answered = zip(events, state.judge.answers(outputs), strict=True)
        effects += predictions(self.config, self.partition, state.version, latency_ms, state.judge.threshold, answered)
        state.next_offset = events[-1].offset + 1
        state.count("events", "predicted", len(events))
        done = 0
        while done < len(events):
            end = min(len(events), done + BLOCK - state.events.count % BLOCK)
            self._watch(events[done:end], waiting[done:end], outputs[done:end])
            if at_once is None:
                state.starvation.arrived(waiting[done:end])
            else:
                texts = [event.text for event in events[done:end]] if state.starvation.reads else ()
                state.starvation.arrived(waiting[done:end], at_once.part(done, end), texts)
            effects += state.starvation.told(self._alerts, state.version)
            if state.events.count % BLOCK == 0:
                effects += self._drifts.block_ended((events[end - 1].offset, waiting[end - 1].timestamp))
            done = end

    def _watch(self, events: list[Event], waiting: list[Waiting], outputs: list[Any]) -> None:
        """Show events of one block, and the champion's outputs, to detectors, and keep what they find for its end."""
        state = self.state
        seen = 0
        rows, times = [event.features for event in events], [entry.timestamp for entry in waiting]
        for kind, name, signal in state.monitors.observe_events(state.judge, outputs, rows, times):
            if signal.reading.state is State.DRIFT:
                index = signal.index
                self._note_events(events[seen : index + 1])
                seen = index + 1
                self._drifts.found(kind, name, signal, (events[index].offset, events[index].timestamp))
        self._note_events(events[seen:])

    def _note_events(self, events: list[Event]) -> None:
        self.state.events.note(len(events), lambda i: (events[i].offset, events[i].timestamp))

    # labels

    def _take_labels(self, labels: list[Label], now: float, effects: list[Effect]) -> int | None:
        """Join labels and learn from them, in parts that end where challengers are decided about or models looked at.

        Returns the offset of the label at which a promotion was asked for; those after it are not taken.
        """
        state, pending = self.state, self.state.pending
        join, hold = pending.join, pending.hold
        joined = Joined.none()
        room = self._room()
        time, ahead = state.stream_time, now + MAX_AHEAD
        reads = state.starvation.reads
        for label in labels:
            if time < label.timestamp <= ahead:
                state.stream_time = time = label.timestamp
                if time > pending.expires_at:
                    pending.expire(time)
            if reads and label.text is not None:
                state.starvation.read(label.text, time)
            waiting = join(label.id)
            if waiting is None:
                if not hold(label, time):
                    state.count("labels", "duplicate")
                continue
            joined.waiting.append(waiting)
            joined.labels.append(label.label)
            joined.times.append(time)
            joined.offsets.append(label.offset)
            if len(joined.labels) == room:
                if self._learn_joined(joined, effects):
                    state.reached("labels", label.offset)
                    return label.offset
                joined, room = Joined.none(), self._room()
        self._learn_joined(joined, effects)
        state.reached("labels", labels[-1].offset)
        return None

    def _room(self) -> int:
        """Labels that may be learned from at once: up to the next decision, if one is to come, or look at models."""
        adaptation, room = self.state.adaptation, self.state.fit.room
        return min(room, adaptation.until_decision()) if adaptation.decides else room

    def _learn_joined(self, joined: Joined, effects: list[Effect]) -> bool:
        self.state.count("labels", "joined", len(joined.labels))
        self.state.starvation.came(joined)
        asked = False
        for part in self.state.tuner.parts(joined):
            asked |= self._learn(part, effects)
            self.state.tuner.settle()
        return asked

    def _learn(self, joined: Joined, effects: list[Effect]) -> bool:
        """Score, detect, learn and adapt, in that order, on labels that found their predictions.

        Returns whether a promotion was asked for, which only the last label can bring about.
        """
        state, labels = self.state, joined.labels
        state.scores.record(state.judge, labels, [waiting.outputs for waiting in joined.waiting])
        signals = self._errors_observed(joined)
        done, asked = 0, False
        for name, signal in signals:
            part = joined.part(done, signal.index + 1)
            effects += self._drifts.erred(part)
            asked |= self._teach(part, effects)
            done = signal.index + 1
            self._on_concept_signal(name, signal, joined.place(signal.index), effects)
        part = joined.part(done, len(labels)) if done else joined
        effects += self._drifts.erred(part)
        asked |= self._teach(part, effects)
        self._look_at_fit(joined, effects)
        return asked

    def _errors_observed(self, joined: Joined) -> list[tuple[str, Signal]]:
        """Show the champion's errors to the concept detectors; their signals, at positions in `joined`.

        Labels of another version's predictions say nothing of how this one errs.
        """
        state = self.state
        own = [index for index, waiting in enumerate(joined.waiting) if waiting.version == state.version]
        labels = joined.labels if len(own) == len(joined.labels) else [joined.labels[index] for index in own]
        waiting = [joined.waiting[index] for index in own]
        outputs = [entry.outputs[0] for entry in waiting]
        signals = state.monitors.observe_outputs(state.judge, outputs, waiting, labels)
        return [(name, signal._replace(index=own[signal.index])) for name, signal in signals]

    def _on_concept_signal(self, name: str, signal: Signal, at: tuple[int, float], effects: list[Effect]) -> None:
        state, adaptation = self.state, self.state.adaptation
        drift = signal.reading.state is State.DRIFT
        reading = signal.reading
        changed_n = reading.changed_n or reading.current_n or 0
        started = adaptation.start(state.champion, state.next_offset, changed_n, warning=not drift)
        if drift:
            action = "challenger_started" if started else "challenger_learning" if adaptation.contestants else "none"
            effects += self._drifts.misled(name, signal, at, action)

    def _look_at_fit(self, joined: Joined, effects: list[Effect]) -> None:
        """All models have learned from these labels: look how well they fit."""
        state = self.state
        state.fit.learned(state.judge, state.scores, joined, state.version, lambda: state.models)
        effects.extend(state.fit.told(self._alerts, state.version))

    def _teach(self, joined: Joined, effects: list[Effect], *, learned: bool = False) -> bool:
        """Let the models learn from these labels, unless they have `learned` already, and compare them; whether that
        made one win.
        """
        state, labels = self.state, joined.labels
        state.labels.note(len(labels), joined.place)
        if not learned:
            state.learn([waiting.features for waiting in joined.waiting], labels)
        state.judge.serve(state.champion.learned)
        won = state.adaptation.step(joined, held=state.starvation.holds, learned=learned)
        proposal = self.proposal if won else None
        if proposal is None:
            return False
        effects.append(proposal)
        return True

    def _judge_rejected(self, taken: Span, ahead: float) -> list[Effect]:
        """Account for the records of a span that cannot be used, and tell of a topic that has more of them, or as few
        again as usual.
        """
        rejected: dict[str, list[Rejected]] = {"events": [], "labels": []}
        for one in taken.rejected:
            side = topic_of(one, self.config)
            self.state.count(side, "dead_lettered")
            self.state.reached(side, one.offset)
            rejected[side].append(one)
        of_events = self._drifts.recorded("events", taken.events, rejected["events"], ahead)
        return [*of_events, *self._drifts.recorded("labels", taken.labels, rejected["labels"], ahead)]
