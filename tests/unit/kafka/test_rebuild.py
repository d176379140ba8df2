"""Bringing a task back to one of its events, and what is said where that cannot be done."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from learners.artifacts import KeyRing, SigningKey, Trust
from stream.basis import Basis
from stream.config.runtime import ArchiveConfig
from stream.errors import StoreError
from stream.kafka.rebuild import NotRebuilt, Rebuilder, Rebuilt
from stream.kafka.snapshots import Snapshots
from stream.stores.archive import Archived
from stream.stores.files import FileSnapshots
from stream.telemetry import Telemetry
from stream.testing import small_config
from tests.unit.kafka.memory import Life, nothing
from tests.unit.kafka.numbered import some, their_labels

KEY = SigningKey("k1", b"0123456789abcdef0123456789abcdef")
TRUST = Trust(KeyRing([KEY]), KEY)
INLINE = {"events": {"label": "label"}, "detectors": {"concept": [{"kind": "adwin"}]}}
SOON = 20.0
JOURNAL = "driftline-test-journal"
ANEW = "entry 2 of its journal, where it was begun anew with this configuration"


class Kept:
    """The snapshots of a life, in a directory: each save is an hour after the one before, and archived."""

    def __init__(self, directory: Path, life: Life) -> None:
        self.life = life
        self.store = FileSnapshots(directory, life.config.app, ArchiveConfig(every=3600.0, keep=9))
        self._now = 1e6
        self._snapshots = Snapshots(
            Basis(life.config), self.store, TRUST, Telemetry("small"), calendar=lambda: self._now
        )

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
    rebuilder = Rebuilder(Basis(config or life.config), kept.store, TRUST, nothing, life.log.reader)
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
    rebuilder = Rebuilder(Basis(kept.life.config), kept.store, TRUST, nothing, kept.life.log.reader)

    rebuilt = rebuilder.rebuild(prediction, value.replace(b'"model_version":0', b'"model_version":3'))

    assert rebuilt.differences == {"model_version": ("3", "0")}


def test_how_far_it_has_come_is_told_on_the_way_to_an_event(kept: Kept) -> None:
    for n in range(30, 70):
        kept.life.take(some(n, n + 1))
    told: list[str] = []
    rebuilder = Rebuilder(Basis(kept.life.config), kept.store, TRUST, nothing, kept.life.log.reader, told.append)

    rebuilder.rebuild(*kept.life.predictions[69])

    looking, *reached = told
    assert looking == "looking for the newest snapshot of before"
    assert len(reached) == 4
    assert reached[-1] in {f"done over up to event {n} of 69" for n in range(60, 70)}


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
    rebuild_without = partial(Rebuilder(Basis(life.config), store, TRUST, nothing, life.log.reader).rebuild)

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
