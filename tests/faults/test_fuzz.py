"""A hundred thousand records, half of them broken in some way, through decoder, task and engine."""

from __future__ import annotations

import math
import pickle
from collections import Counter
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

import pytest

from stream.config.model import Config
from stream.core.state import TaskState
from stream.decode import EventDecoder, LabelDecoder
from stream.kafka.task import Task
from stream.records import Alert, Prediction, Promote, PromotionRefused, Rejected
from stream.refusal import REASONS
from stream.sinks.kafka import KafkaSink
from stream.testing import small_config
from tests.clock import Clock
from tests.faults import garbage

START = 1_700_000_000.0
MAX_PENDING = 500

SHAPES: dict[str, dict[str, Any]] = {
    "flat": {
        "events": {
            "features": {
                "x": {"type": "number", "min": -1e6, "max": 1e6},
                "kind": {"type": "category", "values": ["a", "b", "c"]},
                "flag": {"type": "boolean"},
            },
        },
        "model": {"learner": {"kind": "logistic"}},
    },
    "nested, with inline labels": {
        "events": {
            "time": "at.time",
            "time_unit": "ms",
            "label": "label",
            "features": {
                "x": {"type": "number"},
                "sort": {"type": "category", "path": "kind", "required": True},
                "flag": {"type": "boolean"},
            },
        },
        "model": {"problem": "multiclass", "learner": {"kind": "hoeffding_tree"}},
    },
}


def config(shape: str) -> Config:
    common = {
        "labels": {"ttl": "30s", "max_pending": MAX_PENDING},
        "detectors": {"concept": [{"kind": "adwin"}], "data": [{"kind": "ks"}, {"kind": "chi_squared"}]},
        "adaptation": {"min_labels": 100},
        "alerts": {"cooldown": 0},
        "scores": {"window": 200},
        "audit": {"features": True},
    }
    return small_config(common | SHAPES[shape])


class Ran(NamedTuple):
    """What became of all records: what went in and came out by topic, and the size of the state on the way."""

    given: dict[str, list[int]]
    predicted: list[int]
    dead: dict[str, list[int]]
    reasons: Counter[str]
    sizes: list[int]
    state: TaskState


@cache
def ran(shape: str) -> Ran:
    """50,000 records, in batches as a broker gives them. Promotions are refused."""
    under_test = config(shape)
    clock = Clock(START)
    task = Task(under_test, 0, None, (EventDecoder(under_test), LabelDecoder(under_test)), clock)
    sink = KafkaSink(under_test)
    result = Ran({"events": [], "labels": []}, [], {"events": [], "labels": []}, Counter(), [], task.engine.state)
    records_left = garbage.records(seed=len(shape), n=50_000, start=START)
    while batch := list(islice(records_left, 1000)):
        for topic in ("events", "labels"):
            records = [record for record in batch if record.topic == topic]
            result.given[topic] += [record.offset for record in records]
            task.add(topic, records)
        task.ended(lambda topic, partition: True)
        clock.now += 60
        while (effects := task.step()) is not None:
            for effect in effects:
                if isinstance(effect, Prediction):
                    result.predicted.append(effect.offset)
                    assert sink.prediction(effect).value
                elif isinstance(effect, Alert):
                    assert sink.alert(effect).value
                elif isinstance(effect, Rejected):
                    result.dead[effect.topic].append(effect.offset)
                    result.reasons[effect.reason] += 1
                    assert effect.message
                    sink.dead_letter(effect)
                elif isinstance(effect, Promote):
                    task.command(PromotionRefused("nobody promotes here"))
        task.seal()
        task.committed()
        result.sizes.append(len(pickle.dumps(task.engine.state)))
    return result


shapes = pytest.mark.parametrize("shape", SHAPES)


@shapes
def test_every_record_whatever_it_is_has_exactly_one_end(shape: str) -> None:
    given, predicted, dead, _, _, state = ran(shape)
    counts = state.counts

    for topic, outcomes in (("events", ("predicted", "duplicate")), ("labels", ("joined", "duplicate", "expired"))):
        assert len(dead[topic]) == counts[topic, "dead_lettered"]
        held = state.pending.held if topic == "labels" else 0
        assert sum(counts[topic, outcome] for outcome in outcomes) + len(dead[topic]) + held == len(given[topic])
        assert all(counts[topic, outcome] > 100 for outcome in outcomes), "each end is met"
        assert state.positions[topic] == given[topic][-1] + 1
    assert len(predicted) == counts["events", "predicted"]
    assert len({*predicted, *dead["events"]}) == len(predicted) + len(dead["events"])
    assert {*predicted, *dead["events"]} <= set(given["events"])
    assert sum(map(len, given.values())) == 50_000


def test_a_dead_letter_says_why_and_every_reason_is_met() -> None:
    met = {reason for shape in SHAPES for reason in ran(shape).reasons}

    assert met == set(REASONS)


@shapes
def test_memory_stays_bounded_whatever_comes(shape: str) -> None:
    _, _, _, _, sizes, state = ran(shape)

    assert state.pending.waiting <= MAX_PENDING
    assert state.pending.held <= MAX_PENDING
    assert max(sizes[-5:]) < 1.3 * max(sizes[15:20])


@shapes
def test_no_row_is_too_much_for_the_model_and_its_scores_stay_finite(shape: str) -> None:
    state = ran(shape).state

    assert state.champion.faults == 0
    assert all(math.isfinite(score) for score in state.scores.report(state.judge)["champion"].values())
