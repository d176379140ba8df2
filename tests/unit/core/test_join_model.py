"""The label join against a model of it: lists, looked through from end to end at every record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from learners.base import Learner
from stream.config.model import Config
from stream.core.engine import MAX_AHEAD, Engine
from stream.core.pending import Pending, Waiting
from stream.records import Event, Label, Span
from stream.testing import small_config

TTL = 10
NOW = 1000.0


class Given(NamedTuple):
    """An event (perhaps with its label) or a label of one of a few ids, so many seconds after the last; `cut`: a span
    ends before it.
    """

    is_event: bool
    id: str
    after: float
    inline: bool
    cut: bool


class Model:
    """The join as one would explain it. `learned` holds (offset of the event, label) of every join, in order."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.time = 0.0
        self.waiting: list[tuple[str, float, int]] = []
        self.early: list[tuple[str, float, bool]] = []
        self.done: list[str] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.learned: list[tuple[int, bool]] = []

    def event(self, id_: str, timestamp: float, offset: int, inline: bool | None) -> None:
        self.pass_to(timestamp)
        if self.is_done(id_) or any(known == id_ for known, _, _ in self.waiting):
            self.counts["events", "duplicate"] += 1
            return
        self.counts["events", "predicted"] += 1
        held = [label for known, _, label in self.early if known == id_]
        self.early = [entry for entry in self.early if entry[0] != id_]
        if held:
            self.counts["labels", "joined" if inline is None else "duplicate"] += 1
        if held or inline is not None:
            self.done.append(id_)
            self.learned.append((offset, held[0] if inline is None else inline))
            return
        self.waiting.append((id_, self.time, offset))
        if len(self.waiting) > self.bound:
            del self.waiting[0]
            self.counts["predictions", "expired"] += 1

    def label(self, id_: str, timestamp: float, label: bool) -> None:
        self.pass_to(timestamp)
        found = [offset for known, _, offset in self.waiting if known == id_]
        if found:
            self.waiting = [entry for entry in self.waiting if entry[0] != id_]
            self.done.append(id_)
            self.counts["labels", "joined"] += 1
            self.learned.append((found[0], label))
        elif self.is_done(id_) or any(known == id_ for known, _, _ in self.early):
            self.counts["labels", "duplicate"] += 1
        else:
            self.early.append((id_, self.time, label))
            if len(self.early) > self.bound:
                del self.early[0]
                self.counts["labels", "expired"] += 1

    def pass_to(self, timestamp: float) -> None:
        if self.time < timestamp <= NOW + MAX_AHEAD:
            self.time = timestamp
        old_predictions = [entry for entry in self.waiting if entry[1] + TTL < self.time]
        old_labels = [entry for entry in self.early if entry[1] + TTL < self.time]
        self.counts["predictions", "expired"] += len(old_predictions)
        self.counts["labels", "expired"] += len(old_labels)
        self.waiting = [entry for entry in self.waiting if entry not in old_predictions]
        self.early = [entry for entry in self.early if entry not in old_labels]

    def is_done(self, id_: str) -> bool:
        """The last `bound` joins are remembered, and those before up to the last multiple of it."""
        return id_ in self.done[-(len(self.done) % self.bound + self.bound) :]


class Noting:
    """A learner that notes what it is taught."""

    faults = 0
    seed = 0
    prequential = Learner.prequential

    def __init__(self) -> None:
        self.learned: list[tuple[int, bool]] = []

    def predict(self, rows: Sequence[Any]) -> list[float]:
        return [0.5] * len(rows)

    def learn(self, rows: Sequence[Any], labels: Sequence[Any]) -> None:
        self.learned += [(row["x"], label) for row, label in zip(rows, labels, strict=True)]


@cache
def config(bound: int) -> Config:
    return small_config({"labels": {"ttl": TTL, "max_pending": bound}})


@st.composite
def streams(draw: st.DrawFn) -> list[Given]:
    one = st.builds(
        Given,
        is_event=st.booleans(),
        id=st.sampled_from("abcdefgh"),
        after=st.sampled_from([0, 0, 1, 3, TTL - 1, TTL, TTL + 1, -5, 1e15]),
        inline=st.sampled_from([False, False, False, True]),
        cut=st.booleans(),
    )
    return draw(st.lists(one, max_size=40))


@given(stream=streams(), bound=st.integers(1, 4))
def test_the_engine_joins_as_the_model_does_however_the_stream_is_cut(stream: list[Given], bound: int) -> None:
    model, engine, noting = Model(bound), Engine(config(bound), 0), Noting()
    engine.state.champion = noting  # type: ignore[assignment]
    at = 100.0
    span = Span([], [], [])
    for offset, given_ in enumerate(stream):
        stamp = at + given_.after
        at = stamp if given_.after < 1e6 else at
        label = offset % 2 == 0
        if given_.cut or (given_.is_event and span.labels):
            engine.process(span, NOW)
            span = Span([], [], [])
        if given_.is_event:
            inline = label if given_.inline else None
            model.event(given_.id, stamp, offset, inline)
            span.events.append(Event(given_.id, stamp, stamp, offset, {"x": offset}, None, inline))
        else:
            model.label(given_.id, stamp, label)
            span.labels.append(Label(given_.id, label, stamp, offset))
    engine.process(span, NOW)

    assert noting.learned == model.learned
    assert engine.state.counts == model.counts
    assert (engine.state.pending.waiting, engine.state.pending.held) == (len(model.waiting), len(model.early))


@given(stream=streams(), bound=st.integers(1, 4))
def test_what_waits_is_bounded_and_in_order_after_every_record(stream: list[Given], bound: int) -> None:
    pending = Pending(TTL, bound)
    time = 0.0
    for offset, given_ in enumerate(stream):
        time += max(0.0, given_.after if given_.after < 1e6 else 0.0)
        if time > pending.expires_at:
            pending.expire(time)
        if given_.is_event and not pending.knows(given_.id):
            pending.add(given_.id, Waiting({}, 1, time, offset))
        elif not given_.is_event and pending.join(given_.id) is None:
            pending.hold(Label(given_.id, True, time, offset), time)

        assert pending.waiting <= bound
        assert pending.held <= bound
        before = pending.given_up()
        pending.expire(time)
        assert pending.given_up() == (0, 0), "nothing was past its time"
        assert min(before) >= 0
