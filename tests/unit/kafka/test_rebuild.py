"""Bringing a task back to one of its events, and what is said where that cannot be done."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from learners.artifacts import KeyRing, SigningKey
from learners.base import Learner
from stream.basis import Basis
from stream.config.runtime import ArchiveConfig
from stream.core.engine import Engine
from stream.core.journal import Entry, RefusedStep, SpanStep, Step
from stream.errors import StoreError
from stream.kafka.rebuild import NotRebuilt, Rebuilder, Rebuilt, differences, meet, step_that_took
from stream.kafka.replay import Gap, Record, Replay, Tape
from stream.kafka.snapshots import Snapshots
from stream.records import Event, Label, Prediction, Rejected, Span
from stream.stores.archive import Archived
from stream.stores.files import FileSnapshots
from stream.telemetry import Telemetry
from stream.testing import event, label, small_config
from tests.unit.kafka.memory import Life

KEY = SigningKey("k1", b"0123456789abcdef0123456789abcdef")
INLINE = {"events": {"label": "label"}, "detectors": {"concept": [{"kind": "adwin"}]}}
SOON = 20.0
JOURNAL = "driftline-test-journal"
ANEW = "entry 2 of its journal, where it was begun anew with this configuration"


def x(n: int) -> float:
    return (n * 0.6180339887) % 1.0 * 2.0 - 1.0


def some(first: int, end: int, inline: int = 0) -> list[Event]:
    """Events with these numbers; every `inline`-th one has its label with it."""
    return [
        event(n, {"x": x(n), "kind": "ab"[n % 2]}, inline=x(n) > 0 if inline and n % inline == 0 else None)
        for n in range(first, end)
    ]


def their_labels(first: int, end: int, late: float = 0.5) -> list[Label]:
    return [label(n, x(n) > 0, time=n + late) for n in range(first, end)]


# cutting a step


def tape(records: Sequence[Record]) -> Tape:
    def read(first: int) -> Iterator[list[Record]]:
        yield [record for record in records if record.offset >= first]

    return Tape("topic[0]", read, list)


def untouched() -> Tape:
    def read(first: int) -> Iterator[list[Record]]:
        raise AssertionError("what comes after the event is not to be read")

    return Tape("labels[0]", read, list)


def nothing(digest: str) -> Learner[Any]:
    raise AssertionError("no artifact is needed")


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


# comparing


def test_predictions_differ_by_one_bit_by_a_kind_of_number_and_by_a_field() -> None:
    assert differences(b'{"a":0.1,"b":true}', b'{"a":0.1,"b":true}') == {}
    assert differences(b'{"a":0.1}', b'{"a":0.10000000000000002}') == {"a": ("0.1", "0.10000000000000002")}
    assert differences(b'{"a":1,"b":1}', b'{"a":1.0,"b":true}') == {"a": ("1", "1.0"), "b": ("1", "true")}
    assert differences(b'{"a":1,"c":2}', b'{"a":1,"b":3}') == {"c": ("2", "nothing"), "b": ("nothing", "3")}


# rebuilding


class Kept:
    """The snapshots of a life, in a directory: each save is an hour after the one before, and archived."""

    def __init__(self, directory: Path, life: Life) -> None:
        self.life = life
        self.store = FileSnapshots(directory, life.config.app, ArchiveConfig(every=3600.0, keep=9))
        self._now = 1e6
        keys, telemetry = KeyRing([KEY]), Telemetry("small")
        self._snapshots = Snapshots(Basis(life.config), self.store, KEY, keys, telemetry, calendar=lambda: self._now)

    def save(self) -> None:
        self._now += 3600.0
        journal = len(self.life.log.records[JOURNAL, 0])
        self._snapshots.save(self.life.task, journal=journal, sequence=self.life.task.sequence)
        assert self._snapshots.flush(SOON)

    def close(self) -> None:
        self._snapshots.close(SOON)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """A life of four commits with 120 events, labels inline and late, and no snapshot yet."""
    life = Life(small_config(INLINE))
    kept = Kept(tmp_path, life)
    life.take([*some(0, 30, inline=4), *their_labels(0, 20, late=30.5)])
    yield kept
    kept.close()


def go_on(life: Life) -> None:
    life.take([*some(30, 60, inline=4), b"{", *their_labels(20, 40, late=30.5)])
    life.take([*some(60, 90, inline=4), *their_labels(40, 70, late=30.5)])
    life.take([*some(90, 120, inline=4)])


def rebuild(kept: Kept, offset: int, config: Any = None) -> Rebuilt:
    life = kept.life
    rebuilder = Rebuilder(Basis(config or life.config), kept.store, KeyRing([KEY]), nothing, life.log.reader)
    return rebuilder.rebuild(*life.predictions[offset])


def test_every_prediction_is_rebuilt_to_the_last_bit_from_the_beginning(kept: Kept) -> None:
    go_on(kept.life)
    assert len(kept.life.predictions) == 120
    for offset in kept.life.predictions:
        rebuilt = rebuild(kept, offset)
        assert rebuilt.differences == {}
        assert rebuilt.moment.prediction == kept.life.predictions[offset][0]
        assert rebuilt.source == "the beginning of its journal"


def test_the_newest_snapshot_from_before_the_event_is_taken_up(kept: Kept) -> None:
    life = kept.life
    kept.save()
    life.take([*some(30, 60), *their_labels(20, 40, late=30.5)])
    kept.save()
    life.take([*some(60, 90), *their_labels(40, 70, late=30.5)])

    found = {offset: rebuild(kept, offset) for offset in (29, 30, 59, 60, 89)}

    assert {offset: (rebuilt.source, rebuilt.entries) for offset, rebuilt in found.items()} == {
        29: ("the beginning of its journal", 0),
        30: ("its snapshot after entry 1", 0),
        59: ("its snapshot after entry 1", 0),
        60: ("its snapshot after entry 2", 0),
        89: ("its snapshot after entry 2", 0),
    }
    assert all(rebuilt.differences == {} for rebuilt in found.values())


def test_a_prediction_that_was_another_then_is_told_field_by_field(kept: Kept) -> None:
    prediction, value = kept.life.predictions[17]
    rebuilder = Rebuilder(Basis(kept.life.config), kept.store, KeyRing([KEY]), nothing, kept.life.log.reader)

    rebuilt = rebuilder.rebuild(prediction, value.replace(b'"model_version":0', b'"model_version":3'))

    assert rebuilt.differences == {"model_version": ("3", "0")}


def test_whether_predictions_carried_their_features_then_makes_no_difference(kept: Kept) -> None:
    audited = small_config({**INLINE, "audit": {"features": True}})
    assert rebuild(kept, 17, config=audited).differences == {}


def test_another_configuration_is_told_and_that_of_then_asked_for(kept: Kept) -> None:
    other = small_config({**INLINE, "model": {"seed": 2}})
    with pytest.raises(NotRebuilt, match="was predicted with another configuration") as told:
        rebuild(kept, 17, config=other)
    assert "Give the file as it was then (-c)" in str(told.value)


def test_a_task_begun_anew_with_another_configuration_is_begun_there(kept: Kept) -> None:
    life, old = kept.life, kept.life.config
    life.begin_anew(small_config({**INLINE, "model": {"seed": 2}}))
    go_on(life)

    rebuilt = rebuild(kept, 100)

    assert (rebuilt.differences, rebuilt.source, rebuilt.entries) == ({}, ANEW, 2)
    assert rebuild(kept, 17, config=old).differences == {}
    with pytest.raises(NotRebuilt, match="another configuration"):
        rebuild(kept, 17)


def test_a_journal_that_was_cut_off_is_told_with_the_cure(kept: Kept) -> None:
    go_on(kept.life)
    kept.life.log.first[JOURNAL, 0] = 1

    with pytest.raises(NotRebuilt, match="does not begin with entry 1 any more, but with entry 2") as told:
        rebuild(kept, 100)
    assert "Keep events and labels and driftline-test-journal for as long as" in str(told.value)
    with pytest.raises(NotRebuilt, match=r"journal driftline-test-journal\[0\] has no entry that takes it"):
        rebuild(kept, 17)


@pytest.mark.parametrize("topic", ["events", "labels"])
def test_an_input_topic_that_was_cut_off_is_told_with_the_offset_that_is_missing(kept: Kept, topic: str) -> None:
    go_on(kept.life)
    kept.life.log.first[topic, 0] = 5

    with pytest.raises(NotRebuilt, match=rf"{topic}\[0\] begins at offset 5; offset 0 is no longer kept"):
        rebuild(kept, 100)


def test_a_cut_off_log_matters_not_where_a_snapshot_reaches_back(kept: Kept) -> None:
    kept.save()
    go_on(kept.life)
    log = kept.life.log
    log.first |= {("events", 0): 30, ("labels", 0): 20, (JOURNAL, 0): 1}

    assert rebuild(kept, 100).differences == {}


def save_each(kept: Kept) -> None:
    """Four commits with a snapshot after each."""
    kept.save()
    for first, late in ((30, 20), (60, 40), (90, 70)):
        kept.life.take([*some(first, first + 30, inline=4), *their_labels(late, late + 20, late=30.5)])
        kept.save()


def test_predictions_from_before_both_of_the_newest_are_rebuilt_from_the_archive(kept: Kept) -> None:
    save_each(kept)
    kept.life.log.first |= {("events", 0): 30, ("labels", 0): 20, (JOURNAL, 0): 1}

    found = {offset: rebuild(kept, offset) for offset in (30, 47, 59, 60, 89, 90, 119)}

    assert {offset: (rebuilt.source, rebuilt.entries) for offset, rebuilt in found.items()} == {
        30: ("its archived snapshot after entry 1", 0),
        47: ("its archived snapshot after entry 1", 0),
        59: ("its archived snapshot after entry 1", 0),
        60: ("its archived snapshot after entry 2", 0),
        89: ("its archived snapshot after entry 2", 0),
        90: ("its snapshot after entry 3", 0),
        119: ("its snapshot after entry 3", 0),
    }
    assert all(rebuilt.differences == {} for rebuilt in found.values())


def test_of_the_archive_only_the_newest_from_before_the_event_is_read(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_each(kept)
    read: list[int] = []
    load = FileSnapshots.load_archived

    def noted(store: FileSnapshots, task: str, archived: Archived) -> bytes | None:
        read.append(archived.point.sequence)
        return load(store, task, archived)

    monkeypatch.setattr(FileSnapshots, "load_archived", noted)
    rebuild(kept, 75)
    assert read == [2]


def test_an_archived_snapshot_that_does_not_open_is_passed_over_for_the_one_before(kept: Kept, tmp_path: Path) -> None:
    save_each(kept)
    second = next(tmp_path.rglob("archived.2.*"))
    second.write_bytes(second.read_bytes()[1:])

    rebuilt = rebuild(kept, 75)

    assert (rebuilt.source, rebuilt.entries) == ("its archived snapshot after entry 1", 1)
    assert rebuilt.differences == {}


def test_a_log_cut_off_behind_the_archived_snapshot_is_told_with_what_is_missing(kept: Kept) -> None:
    save_each(kept)
    kept.life.log.first |= {("events", 0): 40, (JOURNAL, 0): 1}

    with pytest.raises(NotRebuilt, match=r"events\[0\] begins at offset 40; offset 30 is no longer kept") as told:
        rebuild(kept, 50)
    assert "and runtime.snapshot_archive.every longer" in str(told.value)


def test_a_snapshot_of_a_life_whose_topics_were_made_anew_is_done_without(kept: Kept) -> None:
    # Given snapshots of a task whose topics are then made anew, and its successor's log
    save_each(kept)
    kept.life = Life(kept.life.config)
    kept.life.take([*some(0, 70, inline=3)])
    kept.life.take([*some(70, 90, inline=3)])

    rebuilt = rebuild(kept, 75)

    assert (rebuilt.differences, rebuilt.source) == ({}, "the beginning of its journal")


def test_snapshots_that_cannot_be_read_are_done_without(kept: Kept) -> None:
    class Away(FileSnapshots):
        def load(self, task: str, *, previous: bool = False) -> bytes | None:
            raise StoreError("Redis is away.")

    kept.save()
    go_on(kept.life)
    store = Away(Path("nowhere"), "test", to_write=False)
    life = kept.life
    rebuild_without = partial(Rebuilder(Basis(life.config), store, KeyRing([KEY]), nothing, life.log.reader).rebuild)

    rebuilt = rebuild_without(*life.predictions[100])
    life.log.first[JOURNAL, 0] = 1

    assert (rebuilt.differences, rebuilt.trouble) == ({}, "Redis is away.")
    with pytest.raises(NotRebuilt, match=r"snapshots could not be read: Redis is away\."):
        rebuild_without(*life.predictions[100])


def test_rebuilding_writes_nothing_where_snapshots_are_kept(kept: Kept, tmp_path: Path) -> None:
    kept.save()
    go_on(kept.life)
    before = sorted(tmp_path.rglob("*"))
    kept.store = FileSnapshots(tmp_path, kept.life.config.app, to_write=False)

    rebuild(kept, 100)

    assert sorted(tmp_path.rglob("*")) == before
