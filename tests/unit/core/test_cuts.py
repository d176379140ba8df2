"""However a merged order of records is cut into spans, the task gives the same outputs and comes to the same state.

After a crash the part of the stream that was not committed is cut in another way than before: this is what makes the
outputs and the model the same all the same.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from stream.config.model import Config
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.core.state import TaskState
from stream.records import (
    Alert,
    Command,
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
from stream.testing import small_config

Record: TypeAlias = Event | Label | Rejected

NOW = 1e6
TTL = 40.0
STARVATION = {"after": 0.2, "run_length": 100, "delay": 0.5, "share": 0.5}
FAR_AHEAD = 1e15
PROBLEMS = {
    "binary": "logistic",
    "multiclass": "hoeffding_tree",
    "regression": "linear_regression",
}
DECIDED: dict[str, dict[str, Any]] = {
    "binary": {"tune": "f_beta", "every": 7, "min_positives": 3, "costs": {"true": {"false": 9}}},
    "multiclass": {"costs": {"a": {"b": 3}}},
}
POOLED = {"binary": "hoeffding_tree", "multiclass": "logistic", "regression": "hoeffding_tree"}


@cache
def config(problem: str, bound: int = 200, margin: float = 0.0, policy: str = "replace_when_better") -> Config:
    """All that can happen happens soon: few labels to a promotion, few predictions that wait, for a short time."""
    sizes = {"reference": 100, "window": 40, "every": 20, "alpha": 0.05}
    return small_config(
        {
            "labels": {"ttl": TTL, "max_pending": bound, "starvation": STARVATION},
            "model": {
                "problem": problem,
                "learner": {"kind": PROBLEMS[problem]},
                "decision": DECIDED.get(problem),
            },
            "detectors": {
                "concept": [{"kind": "page_hinkley", "threshold": 3}, {"kind": "ddm"}],
                "data": [{"kind": "ks", **sizes}, {"kind": "chi_squared", **sizes}],
                "prediction": [{"kind": "ks", "name": "said", **sizes, "segments": {"by": "kind", "most": 1}}],
                "rejected": {"run_length": 30},
                "error_scale": 2.0,
            },
            "adaptation": {
                "policy": policy,
                "min_labels": 30,
                "max_labels": 120,
                "margin": margin,
                "start": "warning",
                "error": 0.4,
                "challengers": ["fresh", "copy"],
                "probation": 60,
                "buffer": 60,
                "pool": [{"kind": POOLED[problem]}] if policy in ("replace_when_better", "reset") else [],
            },
            "alerts": {"cooldown": 60},
            "scores": {"window": 50, "rare": 30},
        }
    )


def stream(problem: str, seed: int, n: int, inline: float) -> list[Record]:
    """`n` records in merged order, some in long runs of a topic: labels in time, early, late, twice, for strangers and
    never; some events twice, some with their label; unreadable records; times that stand still, go back, leap, and
    cannot be. Every 100 events the world turns over, and after 170 it looks different.
    """
    rng = random.Random(seed)
    records: list[Record] = []
    offsets = {"events": 0, "labels": 0}
    truths: dict[int, Any] = {}
    unlabelled: list[int] = []
    at = 1000.0

    def truth(number: int) -> Any:
        if number not in truths:
            x = rng.uniform(-1, 1)
            high = (x > 0) != (number // 100 % 2 == 1)
            truths[number] = x, {"binary": high, "multiclass": "ab"[high], "regression": x if high else -x}[problem]
        return truths[number]

    events = 0
    share = 0.5
    for _ in range(n):
        if rng.random() < 0.02:
            share = rng.choice([0.5, 0.9, 1.0, 0.0, 0.0])
        at += rng.choice([0, 0, 0.1, 0.1, 0.2, 20 if rng.random() < 0.05 else 0.1])
        stamp = rng.choices([at, at - 10, FAR_AHEAD], [95, 4, 1])[0]
        exhausted = not unlabelled and rng.random() < 0.9
        topic = "events" if exhausted or rng.random() < share else "labels"
        offset = offsets[topic] = offsets[topic] + rng.choice([1, 1, 1, 3])
        if rng.random() < 0.02:
            records.append(Rejected(topic, 0, offset, stamp, "malformed_json", "...", b"k", b"{"))
        elif topic == "events":
            again = events and rng.random() < 0.05
            number = rng.randrange(events) if again else events
            events += not again
            x, label = truth(number)
            with_label = rng.random() < inline
            if not with_label and rng.random() < 0.9:
                unlabelled.append(number)
            features = {"x": x, "kind": "abc"[number % 2 + (number > 170)]}
            records.append(Event(f"e{number}", stamp, stamp, offset, features, b"k", label if with_label else None))
        else:
            number = rng.randrange(events + 3)
            if unlabelled and rng.random() < 0.9:
                number = unlabelled.pop(rng.choice([0, 0, rng.randrange(len(unlabelled))]))
            records.append(Label(f"e{number}", truth(number)[1], stamp, offset))
    return records


def spans(records: Iterable[Record], cut: random.Random, share: float) -> Iterator[Span]:
    """Spans as a driver cuts them: what is of the events topic, then of labels. A `share` of all places is cut."""
    span, labels_begun = Span([], [], []), False
    for record in records:
        is_label = isinstance(record, Label) or (isinstance(record, Rejected) and record.topic == "labels")
        if (labels_begun and not is_label) or cut.random() < share:
            yield span
            span, labels_begun = Span([], [], [], NOW - cut.random()), False
        labels_begun = labels_begun or is_label
        if isinstance(record, Event):
            span.events.append(record)
        elif isinstance(record, Label):
            span.labels.append(record)
        else:
            span.rejected.append(record)
    yield span


class Outcome(NamedTuple):
    """All that a run put out, by kind and in order, and what it came to; the order of all kinds but dead letters and
    what is said of them, which is that of single records only where no label has its event wait.
    """

    predictions: list[Prediction]
    alerts: list[Alert]
    dead_letters: list[Rejected]
    quality: list[Alert]  # by topic
    promotions: list[tuple[Any, ...]]
    counts: Counter[tuple[str, str]]
    scores: dict[str, dict[str, float]]
    fingerprint: str
    order: list[tuple[str, int]]


def run(under_test: Config, cut: Iterable[Span], seed: int = 0) -> tuple[Outcome, TaskState]:
    """Drive a task as the worker does: whatever asks for a promotion is answered before the rest is taken. Most are
    granted, some refused, as many for every way to cut.
    """
    engine = Engine(under_test, 0)
    answers, clock = random.Random(5), random.Random(seed)
    effects: list[Effect] = list(engine.command(Swap(engine.state.champion, 1, "first"), NOW))
    promotions: list[tuple[Any, ...]] = []
    for span in cut:
        rest: Span | None = span
        while rest is not None:
            made, _, rest = engine.take(rest, NOW + clock.random())
            effects += made
            for asked in made:
                if isinstance(asked, Promote):
                    promotions.append((*structs.astuple(asked)[1:], fingerprint(asked.learner)))
                    effects += engine.command(answer(asked, answers), NOW)
    state = engine.state
    quality = [e for e in effects if isinstance(e, Alert) and is_of_quality(e)]
    effects = [e for e in effects if not is_of_quality(e)]
    outcome = Outcome(
        [structs.replace(e, latency_ms=0.0) for e in effects if isinstance(e, Prediction)],
        [e for e in effects if isinstance(e, Alert)],
        [e for e in effects if isinstance(e, Rejected)],
        sorted(quality, key=lambda alert: alert.feature or ""),
        promotions,
        state.counts,
        state.scores.report(state.judge),
        fingerprint(state),
        [(type(e).__name__, e.offset) for e in effects if not isinstance(e, Rejected)],
    )
    return outcome, state


def is_of_quality(effect: Effect) -> bool:
    return isinstance(effect, Alert) and effect.kind == "data_quality"


def answer(asked: Promote, chance: random.Random) -> Command:
    if chance.random() < 0.3:
        return PromotionRefused("another was first")
    return Swap(asked.learner, asked.expected_version + 1, asked.reason)


def one_by_one(records: Iterable[Record]) -> Iterator[Span]:
    return spans(records, random.Random(0), share=1.0)


@settings(max_examples=15, deadline=None)
@given(
    problem=st.sampled_from(sorted(PROBLEMS)),
    seed=st.integers(0, 10_000),
    inline=st.sampled_from([0.0, 0.3, 1.0]),
    share=st.sampled_from([0.0, 0.02, 0.3]),
    bound=st.sampled_from([10, 200]),
    margin=st.sampled_from([0.0, 0.3]),
)
@example(problem="binary", seed=26, inline=0.3, share=0.0, bound=200, margin=0.0)  # promotions amid labels
@example(problem="binary", seed=18, inline=0.3, share=0.0, bound=200, margin=0.0)  # and amid inline labels
def test_every_way_to_cut_a_stream_gives_the_same_outputs_and_the_same_state(
    problem: str, seed: int, inline: float, share: float, bound: int, margin: float
) -> None:
    under_test = config(problem, bound, margin)
    records = stream(problem, seed, 600, inline)

    reference, _ = run(under_test, one_by_one(records))
    outcome, _ = run(under_test, spans(records, random.Random(seed), share), seed)

    for ours, expected in zip(outcome[:-1], reference[:-1], strict=True):
        assert ours == expected


@settings(max_examples=8, deadline=None)
@given(
    problem=st.sampled_from(sorted(PROBLEMS)),
    seed=st.integers(0, 10_000),
    share=st.sampled_from([0.0, 0.02]),
    bound=st.sampled_from([10, 200]),
    policy=st.sampled_from(["replace_when_better", "reset", "keep_learning", "alert_only"]),
    early=st.booleans(),
)
@example(problem="binary", seed=18, share=0.0, bound=200, policy="replace_when_better", early=False)  # promotions
@example(problem="binary", seed=18, share=0.0, bound=200, policy="alert_only", early=False)  # runs as long as spans
def test_runs_of_labelled_events_give_all_effects_in_the_order_of_single_records(
    problem: str, seed: int, share: float, bound: int, policy: str, early: bool
) -> None:
    under_test = config(problem, bound, policy=policy)
    records = [record for record in stream(problem, seed, 600, 1.0) if early or not isinstance(record, Label)]

    reference, _ = run(under_test, one_by_one(records))
    outcome, _ = run(under_test, spans(records, random.Random(seed), share), seed)

    for ours, expected in zip(outcome, reference, strict=True):
        assert ours == expected


@pytest.mark.parametrize(("problem", "inline", "n"), [("binary", 0.0, 2000), ("regression", 1.0, 900)])
def test_models_are_looked_at_after_the_same_labels_wherever_the_stream_is_cut(
    problem: str, inline: float, n: int
) -> None:
    under_test = config(problem)
    records = stream(problem, 18, n, inline)

    _, expected = run(under_test, one_by_one(records))
    _, state = run(under_test, spans(records, random.Random(1), 0.005), 1)

    assert state.scores.labels > 500
    assert fingerprint(state.fit) == fingerprint(expected.fit)


@pytest.mark.parametrize("policy", ["replace_when_better", "reset", "keep_learning", "alert_only"])
@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_a_label_that_comes_with_its_event_does_what_one_right_after_it_does(problem: str, policy: str) -> None:
    under_test = config(problem, policy=policy)
    events = [record for record in stream(problem, 18, 600, 1.0) if isinstance(record, Event)]
    apart: list[Record] = []
    for event in events:
        assert event.label is not None
        apart += [structs.replace(event, label=None), Label(event.id, event.label, event.timestamp, event.offset)]

    expected, followed = run(under_test, one_by_one(apart))
    outcome, state = run(under_test, [Span(events, [], [], NOW)])

    for name in ("predictions", "alerts", "promotions", "scores", "order"):
        assert getattr(outcome, name) == getattr(expected, name), name
    for name in ("champion", "baselines", "monitors", "adaptation", "incidents", "events", "labels"):
        assert fingerprint(getattr(state, name)) == fingerprint(getattr(followed, name)), name


@settings(max_examples=15, deadline=None)
@given(problem=st.sampled_from(sorted(PROBLEMS)), seed=st.integers(0, 10_000), inline=st.sampled_from([0.0, 0.3]))
def test_every_record_has_exactly_one_end_and_the_counts_add_up(problem: str, seed: int, inline: float) -> None:
    records = stream(problem, seed, 600, inline)

    outcome, state = run(config(problem), spans(records, random.Random(seed), 0.05))

    events = [r for r in records if isinstance(r, Event)]
    labels = [r for r in records if isinstance(r, Label)]
    dead = Counter(r.topic for r in records if isinstance(r, Rejected))
    counts, pending = state.counts, state.pending
    predicted = Counter(p.offset for p in outcome.predictions)
    inline_joined = sum(event.offset in predicted and event.label is not None for event in events)
    assert set(predicted.values()) <= {1}
    assert set(predicted) <= {event.offset for event in events}
    assert counts["events", "predicted"] == len(outcome.predictions)
    assert counts["events", "predicted"] + counts["events", "duplicate"] == len(events)
    assert counts["labels", "joined"] + counts["labels", "duplicate"] + counts["labels", "expired"] + pending.held == (
        len(labels)
    )
    assert counts["predictions", "expired"] + pending.waiting == (
        counts["events", "predicted"] - counts["labels", "joined"] - inline_joined
    )
    assert {topic: counts[topic, "dead_lettered"] for topic in dead} == dead
    assert len(outcome.dead_letters) == dead.total()
    assert state.scores.labels == counts["labels", "joined"] + inline_joined
    assert state.positions == {
        topic: max(r.offset for r in records if side(r) == topic) + 1 for topic in ("events", "labels")
    }


def side(record: Record) -> str:
    if isinstance(record, Rejected):
        return record.topic
    return "events" if isinstance(record, Event) else "labels"


def test_these_streams_have_thresholds_chosen_amid_labels_of_both_sorts() -> None:
    for inline in (0.0, 1.0):
        outcome, _ = run(config("binary"), spans(stream("binary", 18, 600, inline), random.Random(), 0.0))

        assert len({prediction.threshold for prediction in outcome.predictions}) > 5


def test_these_streams_have_all_that_could_depend_on_the_cuts() -> None:
    outcomes = [
        run(config("binary"), spans(stream("binary", seed, 600, 0.3), random.Random(), 0.0))[0] for seed in range(8)
    ]
    counts = sum((outcome.counts for outcome in outcomes), Counter())

    assert sum(len(outcome.promotions) for outcome in outcomes) > 3
    assert {alert.feature for outcome in outcomes for alert in outcome.quality} == {"events", "labels"}
    assert {alert.state for outcome in outcomes for alert in outcome.quality} == {"open", "recovered"}
    assert {alert.kind for outcome in outcomes for alert in outcome.alerts} == {
        "concept_drift",
        "data_drift",
        "prediction_drift",
        "label_starvation",
        "model_swap",
        "rollback",
    }
    assert all(
        counts[key] > 20
        for key in [
            ("events", "duplicate"),
            ("labels", "joined"),
            ("labels", "duplicate"),
            ("labels", "expired"),
            ("predictions", "expired"),
        ]
    )


@pytest.mark.parametrize("policy", ["replace_when_better", "reset", "keep_learning", "alert_only"])
def test_runs_of_labelled_events_have_drifts_of_both_kinds_amid_them_and_promotions(policy: str) -> None:
    events = [record for record in stream("binary", 18, 600, 1.0) if isinstance(record, Event)]

    outcome, _ = run(config("binary", policy=policy), [Span(events, [], [], NOW)])

    before = {kind for (kind, at), (_, then) in pairwise(outcome.order) if kind == "Alert" and at < then}
    kinds = {alert.kind for alert in outcome.alerts if alert.offset < events[-1].offset}
    assert before == {"Alert"}
    assert kinds >= {"concept_drift", "data_drift"}
    assert (len(outcome.promotions) > 1) == (policy in ("replace_when_better", "reset"))
