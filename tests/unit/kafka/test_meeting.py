"""A step is done over up to one of its events; and how two predictions of that are told apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from stream.core.engine import Engine
from stream.core.journal import Entry, RefusedStep, SpanStep, Step
from stream.kafka.rebuild import differences, meet, step_that_took
from stream.kafka.replay import Gap, Record, Replay, Tape
from stream.records import Event, Prediction, Rejected, Span
from stream.testing import label, small_config
from tests.unit.kafka.memory import nothing
from tests.unit.kafka.numbered import some, their_labels, x


def tape(records: Sequence[Record]) -> Tape:
    def read(first: int) -> Iterator[list[Record]]:
        yield [record for record in records if record.offset >= first]

    return Tape("topic[0]", read, list)


def untouched() -> Tape:
    def read(first: int) -> Iterator[list[Record]]:
        raise AssertionError("what comes after the event is not to be read")

    return Tape("labels[0]", read, list)


def warm() -> Engine:
    """An engine that has learned from 40 events."""
    engine = Engine(small_config(), 0)
    engine.process(Span(some(0, 40), their_labels(0, 40), [], 1.0), 1.0)
    return engine


def at(offset: int, step: SpanStep, records: Sequence[Record], engine: Engine) -> Any:
    return meet(engine, Replay(engine, tape(records), untouched(), nothing), step, offset)


def test_each_event_of_a_span_meets_the_model_it_met_then_with_labels_learned_in_between() -> None:
    records = some(40, 70, inline=3)
    live = warm()
    live.process(Span([], [label(50, x(50) > 0, offset=90)], [], 1.0), 1.0)  # a label that waits for its event
    then = {p.offset: p for p in live.process(Span([*records], [], [], 7.0), 7.5) if isinstance(p, Prediction)}
    step = SpanStep(7.0, 7.5, (40, 70), (91, 95))

    for offset in range(40, 70):
        engine = warm()
        engine.process(Span([], [label(50, x(50) > 0, offset=90)], [], 1.0), 1.0)
        moment = at(offset, step, records, engine)

        assert moment.prediction == then[offset]
        assert moment.features == records[offset - 40].features
        assert moment.recipe == "logistic"
        # what is explained is the very score, not that of a model which knows the event's label already
        assert moment.explanation is not None
        said = then[offset].probabilities
        assert said is not None
        assert said["true"] == pytest.approx(1 / (1 + math.exp(-moment.explanation.score)), 1e-12)


def test_a_step_is_cut_behind_records_that_were_dead_letters() -> None:
    bad = Rejected("events", 0, 41, 41.0, "malformed_json", "...")
    records: list[Record] = [*some(40, 41), bad, *some(42, 44)]
    engine = warm()

    moment = at(42, SpanStep(7.0, 7.5, (40, 44)), records, engine)

    assert moment.prediction.id == "e42"
    assert engine.state.positions["events"] == 43
    assert engine.state.counts["events", "dead_lettered"] == 1


def test_a_record_that_is_no_event_any_more_is_a_gap() -> None:
    records: list[Record] = [*some(40, 41), Rejected("events", 0, 41, 41.0, "malformed_json", "...")]
    with pytest.raises(Gap, match="offset 41 is not an event any more"):
        at(41, SpanStep(7.0, 7.5, (40, 44)), records, warm())


def test_an_event_that_is_a_duplicate_there_is_a_gap() -> None:
    again = Event("e3", 40.0, 40.0, 40, {"x": 1.0})
    with pytest.raises(Gap, match="offset 40 is a duplicate there"):
        at(40, SpanStep(7.0, 7.5, (40, 41)), [again], warm())


def test_the_step_that_took_an_event_is_the_one_whose_stretch_holds_it() -> None:
    first, second = SpanStep(1.0, 1.0, (3, 5), None), SpanStep(2.0, 2.0, (5, 9), (0, 4))
    steps: list[Step] = [SpanStep(0.0, 0.0, None, (0, 9)), first, RefusedStep(1.0, "late"), second]
    entry = Entry(sequence=1, config="", start={}, end={}, steps=steps)

    assert [step_that_took(entry, offset) for offset in (2, 3, 4, 5, 8, 9)] == [
        None,
        first,
        first,
        second,
        second,
        None,
    ]


def test_predictions_differ_by_one_bit_by_a_kind_of_number_and_by_a_field() -> None:
    assert differences(b'{"a":0.1,"b":true}', b'{"a":0.1,"b":true}') == {}
    assert differences(b'{"a":0.1}', b'{"a":0.10000000000000002}') == {"a": ("0.1", "0.10000000000000002")}
    assert differences(b'{"a":1,"b":1}', b'{"a":1.0,"b":true}') == {"a": ("1", "1.0"), "b": ("1", "true")}
    assert differences(b'{"a":1,"c":2}', b'{"a":1,"b":3}') == {"c": ("2", "nothing"), "b": ("nothing", "3")}
