"""The engine: what becomes of every record, however the stream is cut. No broker, no clock."""

from __future__ import annotations

import pickle
import random
from collections import Counter
from typing import Any

import pytest
from msgspec import structs

from stream.core.engine import Engine
from stream.records import (
    Effect,
    Event,
    Label,
    Promote,
    Rejected,
    Span,
    Swap,
)
from stream.testing import drive, event, label, small_config
from tests.unit.core.streams import DETECT, predictions, promotions, stream

# records and their ends


def test_a_prediction_says_what_made_it_and_where_its_event_stood() -> None:
    engine = Engine(small_config({"audit": {"features": True}}), partition=3)
    engine.command(Swap(engine.state.champion, 7, "first"), 0.0)

    (made,) = predictions(engine.process(Span([event(5, {"x": 1.0})], [], [], received=99.0), now=99.5))

    assert (made.id, made.key, made.ts, made.partition, made.offset) == ("e5", "key", 5.0, 3, 5)
    assert (made.model, made.model_version, made.latency_ms) == ("small", 7, 500.0)
    assert made.probabilities == {"true": 0.5, "false": 0.5}
    assert made.features == {"x": 1.0}


def test_features_are_published_only_when_audit_is_on() -> None:
    (made,) = predictions(drive(Engine(small_config(), 0), [event(0, {"x": 1.0})]))

    assert made.features is None


def test_an_event_id_seen_before_is_predicted_once() -> None:
    engine = Engine(small_config(), 0)
    records: list[Event | Label] = [event(0, {}), event(0, {}), label(0, True), event(0, {})]

    effects = drive(engine, records, span=2)

    assert len(predictions(effects)) == 1
    assert engine.state.counts["events", "duplicate"] == 2


def test_a_label_before_its_event_is_joined_when_the_event_comes() -> None:
    engine = Engine(small_config(), 0)

    drive(engine, [label(0, True, time=0.0), event(0, {"x": 1.0}), label(0, True)])

    assert engine.state.counts["labels", "joined"] == 1
    assert engine.state.counts["labels", "duplicate"] == 1
    assert engine.state.pending.waiting == 0


def test_a_strangers_label_expires_and_so_does_a_prediction_without_label() -> None:
    engine = Engine(small_config({"labels": {"ttl": "10s"}}), 0)

    drive(engine, [event(0, {}), label(99, True, time=0.0), event(1, {}, time=11.0)])

    assert engine.state.counts["labels", "expired"] == 1
    assert engine.state.counts["predictions", "expired"] == 1
    assert engine.state.pending.waiting == 1


def test_an_inline_label_is_learned_from_before_the_next_event_is_predicted() -> None:
    rng = random.Random(3)
    rows = [rng.uniform(-1, 1) for _ in range(200)]
    inline = Engine(small_config(), 0)
    apart = Engine(small_config(), 0)

    together = drive(inline, [event(i, {"x": x}, inline=x > 0) for i, x in enumerate(rows)], span=200)
    one_by_one = drive(apart, [r for i, x in enumerate(rows) for r in (event(i, {"x": x}), label(i, x > 0))])

    assert [p.probabilities for p in predictions(together)] == [p.probabilities for p in predictions(one_by_one)]
    assert predictions(together)[-1].probabilities != {"true": 0.5, "false": 0.5}


def test_a_rejected_record_is_handed_on_and_counted_for_its_topic() -> None:
    engine = Engine(small_config(), 0)
    bad = [Rejected("events", 0, 4, 0.0, "wrong_type", "..."), Rejected("labels", 0, 9, 0.0, "bad_label", "...")]

    effects = engine.process(Span([], [], bad), now=1.0)

    assert effects == bad
    assert engine.state.counts == {("events", "dead_lettered"): 1, ("labels", "dead_lettered"): 1}
    assert engine.state.positions == {"events": 5, "labels": 10}


def test_every_record_has_exactly_one_end() -> None:
    rng = random.Random(11)
    engine = Engine(small_config({"labels": {"ttl": "50s", "max_pending": 30}}), 0)
    fed: Counter[str] = Counter()
    for step in range(400):
        records: list[Event | Label] = []
        at = float(step)
        records += [event(rng.randrange(300), {"x": rng.random()}, time=at) for _ in range(rng.randrange(4))]
        records += [label(rng.randrange(300), rng.random() < 0.5, time=at) for _ in range(rng.randrange(4))]
        fed["events"] += sum(isinstance(r, Event) for r in records)
        fed["labels"] += sum(isinstance(r, Label) for r in records)
        drive(engine, records, span=10)

    counts, pending = engine.state.counts, engine.state.pending
    ends = {topic: sum(n for (t, _), n in counts.items() if t == topic) for topic in ("events", "labels")}
    assert ends["events"] == fed["events"]
    assert ends["labels"] + pending.held == fed["labels"]
    assert counts["events", "predicted"] == (
        counts["labels", "joined"] + counts["predictions", "expired"] + pending.waiting
    )
    assert all(counts[key] for key in [("events", "duplicate"), ("labels", "duplicate"), ("labels", "expired")])


def test_a_label_past_its_time_finds_no_prediction_also_within_one_span() -> None:
    engine = Engine(small_config({"labels": {"ttl": "10s"}}), 0)

    engine.process(Span([event(0, {})], [label(5, True, time=11.0), label(0, True, time=11.0)]), 1e9)

    assert engine.state.counts["predictions", "expired"] == 1
    assert engine.state.counts["labels", "joined"] == 0


def test_an_event_that_comes_again_after_its_prediction_expired_is_predicted_again_also_within_one_span() -> None:
    engine = Engine(small_config({"labels": {"ttl": "10s"}}), 0)
    again = structs.replace(event(0, {}, time=11.0), offset=1)

    made = predictions(engine.process(Span([event(0, {}), again], []), 1e9))

    assert [p.offset for p in made] == [0, 1]
    assert engine.state.counts["predictions", "expired"] == 1


def test_the_bound_on_what_waits_holds_after_every_event() -> None:
    engine = Engine(small_config({"labels": {"max_pending": 2}}), 0)

    engine.process(Span([event(n, {}) for n in range(3)], [label(n, True, time=3.0) for n in range(3)]), 1e9)

    assert engine.state.counts["predictions", "expired"] == 1
    assert engine.state.counts["labels", "joined"] == 2
    assert engine.state.pending.held == 1, "the label of the first event has nothing to find"


def test_an_event_that_comes_with_its_label_pushes_nothing_out() -> None:
    engine = Engine(small_config({"labels": {"max_pending": 1}}), 0)

    drive(engine, [event(0, {}), event(1, {}, inline=True), label(0, True)])

    assert engine.state.counts["labels", "joined"] == 1
    assert engine.state.counts["predictions", "expired"] == 0


def test_a_clock_that_jumps_ahead_expires_nothing() -> None:
    engine = Engine(small_config({"labels": {"ttl": "10s"}}), 0)

    drive(engine, [event(0, {}), event(1, {}, time=1e12), label(0, True)], now=100.0)

    assert engine.state.counts["labels", "joined"] == 1
    assert engine.state.counts["predictions", "expired"] == 0


# determinism


def test_spans_give_what_single_records_give() -> None:
    data = [{"kind": "ks", "reference": 100, "window": 50, "every": 50}]
    config = small_config({**DETECT, "detectors": {"concept": [{"kind": "adwin"}], "data": data}})
    records = stream(2000, flip_at=700)
    events = [r for r in records if isinstance(r, Event)]
    labels = [r for r in records if isinstance(r, Label)]
    singly, in_spans = Engine(config, 0), Engine(config, 0)

    one: list[Effect] = []
    many: list[Effect] = []
    for start in range(0, 2000, 70):
        part = slice(start, start + 70)
        for event_ in events[part]:
            one += singly.process(Span([event_], [], []), 1e9)
        for label_ in labels[part]:
            one += singly.process(Span([], [label_], []), 1e9)
        many += in_spans.process(Span(events[part], labels[part], []), 1e9)

    assert promotions(one)
    assert sorted(map(repr, without_learners(one))) == sorted(map(repr, without_learners(many)))
    assert singly.state.counts == in_spans.state.counts
    assert singly.state.scores.report(singly.state.judge) == in_spans.state.scores.report(in_spans.state.judge)


def test_a_restored_task_goes_on_exactly_as_the_original() -> None:
    config = small_config(DETECT)
    original = Engine(config, 0)
    drive(original, stream(900, flip_at=600))

    restored = Engine(config, 0, pickle.loads(pickle.dumps(original.state)))
    rest = stream(800, start=900, flip_at=600)

    assert without_learners(drive(restored, rest)) == without_learners(drive(original, rest))
    assert restored.state.counts == original.state.counts


def without_learners(effects: list[Effect]) -> list[Any]:
    return [(e.labels, e.scores, e.offset) if isinstance(e, Promote) else e for e in effects]


# other values, other problems


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), "text", True])
def test_a_bad_value_in_a_feature_stops_nothing(bad: Any) -> None:
    config = small_config({"detectors": {"data": [{"kind": "ks"}, {"kind": "chi_squared"}]}})
    engine = Engine(config, 0)

    effects = drive(engine, [r for i in range(50) for r in (event(i, {"x": bad, "kind": bad}), label(i, i % 2 == 0))])

    made = predictions(effects)
    assert len(made) == 50
    assert all(p.probabilities is not None and 0 <= p.probabilities["true"] <= 1 for p in made)


@pytest.mark.parametrize(
    ("problem", "learner", "value"),
    [("multiclass", "hoeffding_tree", "b"), ("regression", "linear_regression", 3.5)],
)
def test_other_problems_go_the_same_way(problem: str, learner: str, value: Any) -> None:
    engine = Engine(small_config({"model": {"problem": problem, "learner": {"kind": learner}}}), 0)

    effects = drive(engine, [r for i in range(300) for r in (event(i, {"x": 1.0}), label(i, value))])

    last = predictions(effects)[-1]
    assert last.prediction == (value if problem == "multiclass" else pytest.approx(value, abs=0.5))
    report = engine.state.scores.report(engine.state.judge)
    assert set(report) == {"champion", *(name for name, _ in engine.state.baselines)}
