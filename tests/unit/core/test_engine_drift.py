"""The engine: what becomes of drift, of challengers and of commands. No broker, no clock."""

from __future__ import annotations

import pickle
import random

import pytest
from msgspec import structs

from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.core.state import TaskState
from stream.records import (
    Alert,
    Event,
    Label,
    PromotionRefused,
    Rejected,
    Span,
    Swap,
    Window,
)
from stream.testing import drive, event, label, small_config
from tests.unit.core.streams import DETECT, alerts, drifts, predictions, promotions, stream


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
    assert engine.state.adaptation.contestants


def test_the_same_stream_raises_alerts_with_the_same_ids() -> None:
    first, second = (
        alerts(drive(Engine(small_config(DETECT), 0), stream(900, flip_at=600)), "concept_drift") for _ in range(2)
    )

    assert [a.id for a in first] == [a.id for a in second]
    assert first


def test_a_drift_that_comes_back_is_told_once_within_the_cooldown() -> None:
    flips = (
        stream(600) + stream(600, start=600, flip_at=0) + stream(600, start=1200) + stream(600, start=1800, flip_at=0)
    )
    quiet = drive(Engine(small_config({**DETECT, "alerts": {"cooldown": "1d"}}), 0), flips)
    loud = drive(Engine(small_config({**DETECT, "alerts": {"cooldown": 0}}), 0), flips)

    assert [a.state for a in alerts(quiet, "concept_drift")].count("open") == 1
    assert [a.state for a in alerts(loud, "concept_drift")].count("open") > 1


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

    assert proposed
    assert all(p.labels >= 1000 for p in proposed)


def test_a_challenger_that_does_not_win_is_dropped() -> None:
    losing = {"min_labels": 100, "max_labels": 200, "margin": 0.99}
    engine = Engine(small_config({**DETECT, "adaptation": losing}), 0)

    effects = drive(engine, stream(2000, flip_at=600))

    assert alerts(effects, "concept_drift")
    assert not engine.state.adaptation.contestants
    assert not promotions(effects)


@pytest.mark.parametrize("inline", [False, True])
def test_alert_only_tells_and_trains_nothing_at_all(inline: bool) -> None:
    engine = Engine(small_config({**DETECT, "adaptation": {"policy": "alert_only"}}), 0)
    trained = TaskState(engine.config).champion
    known = stream(300)
    labels = {r.id: r.label for r in known if isinstance(r, Label)}
    trained.learn([r.features for r in known if isinstance(r, Event)], list(labels.values()))
    engine.command(Swap(trained, 1, "first"), 0.0)
    before = fingerprint(engine.state.champion)

    records = stream(2000, flip_at=600)
    if inline:
        labels = {r.id: r.label for r in records if isinstance(r, Label)}
        records = [structs.replace(r, label=labels[r.id]) for r in records if isinstance(r, Event)]
    effects = drive(engine, records)

    assert drifts(effects, "concept_drift")
    assert fingerprint(engine.state.champion) == before


def test_keep_learning_tells_and_trains_no_other() -> None:
    engine = Engine(small_config({**DETECT, "adaptation": {"policy": "keep_learning"}}), 0)

    effects = drive(engine, stream(2000, flip_at=600))

    assert [(a.state, a.action) for a in alerts(effects, "concept_drift")] == [("open", "none"), ("recovered", "none")]
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


def test_a_swap_that_was_asked_for_tells_by_how_much_the_new_model_is_better_and_another_does_not() -> None:
    engine = Engine(small_config(DETECT), 0)
    engine.command(Swap(engine.state.champion, 1, "first"), 0.0)
    (asked,) = promotions(drive(engine, stream(3000, flip_at=600)))
    saved = pickle.dumps(engine.state)

    def told(swap: Swap) -> Alert:
        (made,) = Engine(engine.config, 0, state := pickle.loads(saved)).command(swap, 0.0)
        assert state.version == 2
        assert isinstance(made, Alert)
        return made

    own = told(Swap(pickle.loads(pickle.dumps(asked.learner)), 2, asked.reason))
    others = told(Swap(TaskState(engine.config).champion, 2, asked.reason))

    assert asked.span is not None
    low, high = asked.intervals["advantage"]
    lead = {"advantage_low": low, "advantage_high": high}
    assert (own.direction, own.before, own.after) == ("better", *asked.scores.values())
    assert own.current is not None
    assert own.current == Window(own.current.n, *asked.span, profile=lead)
    assert 0 < own.current.n <= asked.labels
    assert (others.direction, others.before, others.current) == (None, None, None)


def test_a_reset_which_had_nothing_to_prove_tells_of_no_evidence() -> None:
    engine = Engine(small_config({**DETECT, "adaptation": {"policy": "reset"}}), 0)
    engine.command(Swap(engine.state.champion, 1, "first"), 0.0)
    asked = promotions(drive(engine, stream(3000, flip_at=600)))[0]

    told = engine.command(Swap(asked.learner, 2, asked.reason), 0.0)

    assert [(a.kind, a.direction, a.before, a.current) for a in told if isinstance(a, Alert)] == [
        ("model_swap", None, None, None)
    ]


@pytest.mark.parametrize("reason", ["rollback", "rollback: it missed every second fraud"])
def test_what_was_rolled_back_by_hand_does_not_come_back_by_itself(reason: str) -> None:
    engine = Engine(small_config(DETECT), 0)
    engine.command(Swap(engine.state.champion, 1, "first"), 0.0)
    drive(engine, stream(100))

    told = engine.command(Swap(TaskState(engine.config).champion, 2, reason), 0.0)

    assert [a.kind for a in told if isinstance(a, Alert)] == ["rollback"]
    assert not engine.state.adaptation.contestants, "whoever was sent away does not look on"


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
    assert engine.state.adaptation.contestants

    engine.command(PromotionRefused("another was first"), 0.0)

    assert not engine.state.adaptation.contestants


def test_a_feature_that_shifts_raises_a_data_drift_alert() -> None:
    config = small_config({"detectors": {"data": [{"kind": "ks", "reference": 200, "window": 100}]}})
    rng = random.Random(5)
    records = [event(i, {"x": rng.gauss(0 if i < 1000 else 3, 1)}) for i in range(2000)]

    found = drifts(drive(Engine(config, 0), records, span=37), "data_drift")

    assert [(a.feature, a.detector, a.direction) for a in found] == [("x", "ks", "up")]
    assert 1000 <= found[0].offset < 1300
