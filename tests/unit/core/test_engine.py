"""The engine: what becomes of every record, of drift, of challengers and of commands. No broker, no clock."""

from __future__ import annotations

import pickle
import random
from collections import Counter
from typing import Any

import pytest
from msgspec import structs

from stream.core.engine import Engine, TaskState
from stream.core.fingerprint import fingerprint
from stream.records import (
    Alert,
    Effect,
    Event,
    Label,
    Prediction,
    Promote,
    PromotionRefused,
    Rejected,
    Span,
    Swap,
)
from stream.testing import drive, event, label, small_config

DETECT = {"detectors": {"concept": [{"kind": "adwin"}]}, "adaptation": {"min_labels": 200, "margin": 0.05}}


def predictions(effects: list[Effect]) -> list[Prediction]:
    return [e for e in effects if isinstance(e, Prediction)]


def alerts(effects: list[Effect], kind: str) -> list[Alert]:
    return [e for e in effects if isinstance(e, Alert) and e.kind == kind]


def promotions(effects: list[Effect]) -> list[Promote]:
    return [e for e in effects if isinstance(e, Promote)]


def stream(n: int, *, flip_at: int | None = None, start: int = 0, delay: int = 0) -> list[Event | Label]:
    """Events whose label is x > 0, and from `flip_at` on the opposite; each label `delay` events later."""
    rng = random.Random(7)
    truth: dict[int, bool] = {}
    out: list[Event | Label] = []
    for i in range(start, start + n):
        x = rng.uniform(-1, 1)
        truth[i] = (x > 0) != (flip_at is not None and i >= flip_at)
        out.append(event(i, {"x": x}))
        if i - delay >= start:
            out.append(label(i - delay, truth[i - delay], time=i + 0.5))
    return out


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


# drift, challengers, commands


def test_drift_raises_one_alert_with_its_evidence_and_starts_a_challenger() -> None:
    engine = Engine(small_config(DETECT), 0)

    effects = drive(engine, stream(900, flip_at=600))

    (alert,) = alerts(effects, "concept_drift")
    assert 600 <= alert.offset < 800
    assert (alert.severity, alert.detector, alert.direction) == ("critical", "adwin", "worse")
    assert alert.before is not None
    assert alert.after is not None
    assert alert.after > alert.before
    assert alert.action == "challenger_started"
    assert alert.current is not None
    assert alert.current.last_offset == alert.offset
    assert alert.current.first_offset is not None
    assert 0 <= alert.offset - alert.current.n + 1 - alert.current.first_offset < 32
    assert engine.state.adaptation.challenger is not None


def test_the_same_stream_raises_alerts_with_the_same_ids() -> None:
    first, second = (
        alerts(drive(Engine(small_config(DETECT), 0), stream(900, flip_at=600)), "concept_drift") for _ in range(2)
    )

    assert [a.id for a in first] == [a.id for a in second]
    assert first


def test_an_alert_is_not_repeated_during_the_cooldown() -> None:
    flips = (
        stream(600) + stream(600, start=600, flip_at=0) + stream(600, start=1200) + stream(600, start=1800, flip_at=0)
    )
    quiet = drive(Engine(small_config({**DETECT, "alerts": {"cooldown": "1d"}}), 0), flips)
    loud = drive(Engine(small_config({**DETECT, "alerts": {"cooldown": 0}}), 0), flips)

    assert len(alerts(quiet, "concept_drift")) == 1
    assert len(alerts(loud, "concept_drift")) > 1


def test_a_challenger_that_beats_the_champion_is_proposed_once() -> None:
    engine = Engine(small_config(DETECT), 0)

    proposed = promotions(drive(engine, stream(3000, flip_at=600)))

    assert len(proposed) == 1
    scores = proposed[0].scores
    assert scores["challenger_loss"] < scores["champion_loss"] * 0.95
    assert proposed[0].labels >= 200


def in_spans(records: list[Event | Label], size: int) -> list[Span]:
    """Spans of `size` events with the labels that came among them."""
    return [
        Span(
            [r for r in records[start : start + 2 * size] if isinstance(r, Event)],
            [r for r in records[start : start + 2 * size] if isinstance(r, Label)],
        )
        for start in range(0, len(records), 2 * size)
    ]


def test_a_promotion_ends_the_span_at_its_label_and_gives_back_what_is_left() -> None:
    engine = Engine(small_config(DETECT), 0)

    for span in in_spans(stream(3000, flip_at=600), 70):
        unreadable = [Rejected("labels", 0, span.labels[-1].offset + 1, 0.0, "bad_label", "...")]
        effects, taken, rest = engine.take(structs.replace(span, rejected=unreadable), 1e9)
        if promotions(effects):
            break

    assert rest is not None
    assert taken.events == span.events
    assert taken.labels + rest.labels == span.labels
    assert promotions(effects)[0].offset == taken.labels[-1].offset
    assert (rest.events, taken.rejected, rest.rejected) == ([], [], unreadable)
    assert engine.state.positions["labels"] == taken.labels[-1].offset + 1


def test_a_promotion_by_an_inline_label_ends_the_span_at_its_event() -> None:
    engine = Engine(small_config(DETECT), 0)
    labels = {r.id: r.label for r in stream(3000, flip_at=600) if isinstance(r, Label)}
    events = [structs.replace(r, label=labels[r.id]) for r in stream(3000, flip_at=600) if isinstance(r, Event)]
    late = [Label("e0", True, 0.0, 0)]

    for start in range(0, len(events), 64):
        effects, taken, rest = engine.take(Span(events[start : start + 64], late), 1e9)
        if promotions(effects):
            break

    assert rest is not None
    assert taken.events + rest.events == events[start : start + 64]
    assert promotions(effects)[0].offset == taken.events[-1].offset == predictions(effects)[-1].offset
    assert (taken.labels, rest.labels) == ([], late)
    assert engine.state.positions["events"] == rest.events[0].offset


def test_a_promotion_that_was_not_answered_is_still_asked_for_by_a_restored_task() -> None:
    engine = Engine(small_config(DETECT), 0)
    for span in in_spans(stream(3000, flip_at=600), 70):
        asked = promotions(engine.take(span, 1e9).effects)
        if asked:
            break

    restored = Engine(engine.config, 0, pickle.loads(pickle.dumps(engine.state)))

    assert asked == [engine.proposal]
    assert restored.proposal is not None
    assert structs.replace(restored.proposal, learner=None) == structs.replace(asked[0], learner=None)
    assert fingerprint(restored.proposal.learner) == fingerprint(asked[0].learner)
    engine.command(PromotionRefused("another was first"), 0.0)
    assert (engine.proposal, Engine(engine.config, 0).proposal) == (None, None)


def test_a_driver_that_carries_out_no_promotions_has_its_spans_taken_whole() -> None:
    engine = Engine(small_config(DETECT), 0)

    effects = [effect for span in in_spans(stream(3000, flip_at=600), 70) for effect in engine.process(span, 1e9)]

    assert len(predictions(effects)) == 3000
    assert len(promotions(effects)) == 1
    assert engine.state.positions == {"events": 3000, "labels": 3000}


def test_no_challenger_is_proposed_before_min_labels() -> None:
    engine = Engine(small_config({**DETECT, "adaptation": {"min_labels": 1000, "margin": 0.05}}), 0)

    proposed = promotions(drive(engine, stream(3000, flip_at=600)))

    assert all(p.labels >= 1000 for p in proposed)


def test_a_challenger_that_does_not_win_is_dropped() -> None:
    losing = {"min_labels": 100, "max_labels": 200, "margin": 0.99}
    engine = Engine(small_config({**DETECT, "adaptation": losing}), 0)

    effects = drive(engine, stream(2000, flip_at=600))

    assert alerts(effects, "concept_drift")
    assert engine.state.adaptation.challenger is None
    assert not promotions(effects)


def test_alert_only_tells_and_trains_nothing() -> None:
    engine = Engine(small_config({**DETECT, "adaptation": {"policy": "alert_only"}}), 0)

    effects = drive(engine, stream(2000, flip_at=600))

    assert [a.action for a in alerts(effects, "concept_drift")] == ["none"]
    assert not promotions(effects)


def test_a_swap_serves_from_the_next_event_and_says_so() -> None:
    engine = Engine(small_config(DETECT), 0)
    engine.command(Swap(engine.state.champion, 1, "first"), 0.0)
    drive(engine, stream(100))

    told = engine.command(Swap(TaskState(engine.config).champion, 2, "promoted"), 0.0)
    (made,) = predictions(drive(engine, [event(100, {"x": 0.9})]))

    assert [(a.kind, a.model_version) for a in told if isinstance(a, Alert)] == [("model_swap", 2)]
    assert made.model_version == 2
    assert made.probabilities == {"true": 0.5, "false": 0.5}, "the new model has learned nothing"


def test_labels_of_the_old_versions_predictions_do_not_alarm_about_the_new_one() -> None:
    engine = Engine(small_config(DETECT), 0)
    engine.command(Swap(engine.state.champion, 1, "first"), 0.0)
    drive(engine, [event(i, {"x": 0.5}) for i in range(500)])
    engine.command(Swap(TaskState(engine.config).champion, 2, "promoted"), 0.0)

    drive(engine, [label(i, i >= 250) for i in range(500)])

    assert engine.state.monitors.readings()["adwin", ""].current_n == 0


def test_a_refused_promotion_drops_the_challenger() -> None:
    engine = Engine(small_config(DETECT), 0)
    drive(engine, stream(900, flip_at=600))
    assert engine.state.adaptation.challenger is not None

    engine.command(PromotionRefused("another was first"), 0.0)

    assert engine.state.adaptation.challenger is None


def test_a_feature_that_shifts_raises_a_data_drift_alert() -> None:
    config = small_config({"detectors": {"data": [{"kind": "ks", "reference": 200, "window": 100}]}})
    rng = random.Random(5)
    records = [event(i, {"x": rng.gauss(0 if i < 1000 else 3, 1)}) for i in range(2000)]

    found = alerts(drive(Engine(config, 0), records, span=37), "data_drift")

    assert [(a.feature, a.detector, a.direction) for a in found] == [("x", "ks", "up")]
    assert 1000 <= found[0].offset < 1300


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
