"""When snapshots are taken, what they hold, and which of them is taken up."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from learners.artifacts import KeyRing, SigningKey, Trust, open_sealed, seal
from stream.basis import Basis
from stream.config.model import Config
from stream.core.state import FORMAT
from stream.decode import EventDecoder, LabelDecoder
from stream.errors import StoreError
from stream.kafka.snapshots import Snapshots, snapshots_of
from stream.kafka.task import Task
from stream.stores.files import FileSnapshots
from stream.telemetry import Telemetry
from stream.testing import drive, event, label, small_config
from tests.clock import Clock

KEY = SigningKey("k1", b"0123456789abcdef0123456789abcdef")
OTHER = SigningKey("k1", b"another-key-of-another-house-0000")
RUNTIME = {"snapshot_interval": 30, "snapshot_events": 100, "snapshot_archive": {"every": "1m", "keep": 9}}
SOON = 20.0


class Stage:
    """Snapshots of one worker, in a directory."""

    def __init__(self, directory: Path, key: SigningKey = KEY, overrides: Mapping[str, Any] | None = None) -> None:
        self.config: Config = small_config({"runtime": RUNTIME, **(overrides or {})})
        self.clock = Clock(1000.0)
        self.telemetry = Telemetry("small")
        self.store = FileSnapshots(directory, "test", self.config.runtime.snapshot_archive)
        self.snapshots = Snapshots(
            Basis(self.config), self.store, Trust(KeyRing([key]), key), self.telemetry, self.clock, self.clock
        )

    def task(self, state: Any = None) -> Task:
        return Task(self.config, 3, state, (EventDecoder(self.config), LabelDecoder(self.config)))

    def stored(self) -> int:
        """The sequence number of the newest snapshot; 0 when there is none."""
        assert self.snapshots.flush(SOON)
        data = self.store.load("3")
        return 0 if data is None else int(open_sealed(data, keys=KeyRing([KEY]))[0]["sequence"])

    def value(self, name: str) -> list[float]:
        families = text_string_to_metric_families(self.telemetry.render()[0].decode())
        return [sample.value for family in families for sample in family.samples if sample.name == name]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.snapshots.close(SOON)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


def work(task: Task, first: int, n: int) -> list[Any]:
    """Events and their labels, from number `first` on; the effects."""
    chance = random.Random(first)
    records: list[Any] = []
    for number in range(first, first + n):
        x = chance.gauss(0, 1)
        records += [event(number, {"x": x, "kind": chance.choice("ab")}), label(number, x > 0)]
    return drive(task.engine, records, span=10)


def save(stage: Stage, task: Task, sequence: int) -> None:
    stage.snapshots.save(task, journal=10 * sequence, sequence=sequence)
    assert stage.snapshots.flush(SOON)


def committed(stage: Stage, task: Task, sequence: int) -> None:
    """What the worker does after each commit."""
    if stage.snapshots.due(task):
        stage.snapshots.save(task, journal=10 * sequence, sequence=sequence)


def test_a_task_taken_up_goes_on_exactly_as_the_one_that_was_saved(stage: Stage) -> None:
    task = stage.task()
    work(task, 0, 150)
    save(stage, task, 7)
    resumed = stage.snapshots.load(3)
    assert resumed is not None
    assert (resumed.journal, resumed.sequence, resumed.positions) == (70, 7, {"events": 150, "labels": 150})
    assert work(stage.task(resumed.state), 150, 150) == work(task, 150, 150)


def test_what_comes_after_a_save_is_not_in_it(stage: Stage) -> None:
    task = stage.task()
    work(task, 0, 20)
    save(stage, task, 1)
    work(task, 20, 20)
    resumed = stage.snapshots.load(3)
    assert resumed is not None
    assert resumed.state.positions == {"events": 20, "labels": 20}


def test_the_header_says_what_made_it_and_when(stage: Stage) -> None:
    task = stage.task()
    work(task, 0, 20)
    save(stage, task, 2)
    data = stage.store.load("3")
    assert data is not None
    metadata, _ = open_sealed(data, keys=KeyRing([KEY]))
    assert {"format", "config", "journal", "sequence", "positions", "taken"} <= set(metadata)
    assert b'"versions":{"driftline":' in data
    assert b'"numpy":' in data
    assert b'"place":{"app":"test","kind":"snapshot","name":"3"}' in data
    assert b'"python":' in data
    assert b'"river":' in data


# when


def save_if_due(stage: Stage, task: Task, *, journal: int, sequence: int) -> None:
    if stage.snapshots.due(task):
        stage.snapshots.save(task, journal=journal, sequence=sequence)


def test_a_snapshot_is_due_when_the_interval_has_passed(stage: Stage) -> None:
    task = stage.task()
    save_if_due(stage, task, journal=1, sequence=1)
    stage.clock.now += 29.9
    save_if_due(stage, task, journal=2, sequence=2)
    assert stage.stored() == 0
    stage.clock.now += 0.1
    save_if_due(stage, task, journal=3, sequence=3)
    assert stage.stored() == 3
    stage.clock.now += 29.9
    save_if_due(stage, task, journal=4, sequence=4)
    assert stage.stored() == 3


def test_a_snapshot_is_due_when_enough_events_have_come(stage: Stage) -> None:
    task = stage.task()
    work(task, 0, 50)
    save_if_due(stage, task, journal=1, sequence=1)
    work(task, 50, 99)
    save_if_due(stage, task, journal=2, sequence=2)
    assert stage.stored() == 0
    work(task, 149, 1)
    save_if_due(stage, task, journal=3, sequence=3)
    assert stage.stored() == 3


def test_a_snapshot_asked_for_is_taken_at_the_next_commit(stage: Stage) -> None:
    task = stage.task()
    save_if_due(stage, task, journal=1, sequence=1)
    stage.snapshots.save_soon(3)
    assert stage.stored() == 0
    save_if_due(stage, task, journal=2, sequence=2)
    assert stage.stored() == 2


def test_a_task_that_is_slow_to_seal_is_saved_twenty_times_as_rarely_as_that_takes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a model that takes 3 s to seal
    def slow_seal(*args: Any, **options: Any) -> bytes:
        stage.clock.now += 3.0
        return seal(*args, **options)

    monkeypatch.setattr("learners.artifacts.seal", slow_seal)
    task = stage.task()
    stage.snapshots.save(task, journal=1, sequence=1)

    # When neither the interval nor a wish may shorten that
    stage.clock.now += 59.9
    stage.snapshots.save_soon(3)
    save_if_due(stage, task, journal=2, sequence=2)
    assert stage.stored() == 1

    # Then it is saved again after a minute
    stage.clock.now += 0.1
    save_if_due(stage, task, journal=3, sequence=3)
    assert stage.stored() == 3


# which


def flip_a_bit(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_where_there_is_no_snapshot_there_is_nothing_to_take_up(stage: Stage, lines: list[Any]) -> None:
    assert stage.snapshots.load(3) is None
    assert lines == []


def test_where_the_newest_does_not_open_the_one_before_is_taken_up(stage: Stage, lines: list[Any]) -> None:
    stage.snapshots.claim(3)
    task = stage.task()
    for sequence in (1, 2):
        work(task, 10 * sequence, 10)
        save(stage, task, sequence)
    newest = max((stage.store._root / "3").glob("snapshot.*"))
    flip_a_bit(newest)

    resumed = stage.snapshots.load(3)

    assert resumed is not None
    assert resumed.sequence == 1
    assert [(line["event"], line["snapshot"]) for line in lines] == [("snapshot_not_used", "newest")]


def test_where_none_opens_there_is_nothing_to_take_up(tmp_path: Path, stage: Stage, lines: list[Any]) -> None:
    theirs = Stage(tmp_path, OTHER)
    for sequence in (1, 2):
        save(theirs, theirs.task(), sequence)
    assert stage.snapshots.load(3) is None
    assert [line["snapshot"] for line in lines] == ["newest", "previous", "archived"]
    assert "signature" in lines[0]["error"]


def damage(stage: Stage, kind: str) -> None:
    """Change a bit of each snapshot of that kind."""
    for file in (stage.store._root / "3").glob(f"{kind}.*"):
        flip_a_bit(file)


def save_some(stage: Stage, sequences: Sequence[int]) -> Task:
    """A task saved after each of these commits, of ten events each, and each time archived."""
    task = stage.task()
    for sequence in sequences:
        work(task, 10 * sequence, 10)
        stage.clock.now += 60.0
        save(stage, task, sequence)
    return task


def test_where_neither_of_the_two_newest_opens_the_newest_archived_one_is_taken_up(
    stage: Stage, lines: list[Any]
) -> None:
    save_some(stage, [1, 2, 3])
    damage(stage, "snapshot")

    resumed = stage.snapshots.load(3)

    assert resumed is not None
    assert (resumed.sequence, resumed.positions) == (3, {"events": 40, "labels": 40})
    assert [(line["event"], line.get("snapshot")) for line in lines] == [
        ("snapshot_not_used", "newest"),
        ("snapshot_not_used", "previous"),
        ("archived_snapshot_used", None),
    ]


def test_the_archive_is_not_looked_at_while_one_of_the_two_newest_opens(
    stage: Stage, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_some(stage, [1, 2])
    monkeypatch.setattr(FileSnapshots, "archived", lambda *_: pytest.fail("it was looked at"))
    resumed = stage.snapshots.load(3)
    assert resumed is not None
    assert resumed.sequence == 2


def test_the_archive_says_where_each_was_taken(stage: Stage) -> None:
    save_some(stage, [1, 2])
    points = [archived.point for archived in stage.store.archived("3")]
    assert points == [(1, 20, 1_060_000), (2, 30, 1_120_000)]


def test_archived_snapshots_that_do_not_open_or_are_of_later_are_passed_over(stage: Stage, lines: list[Any]) -> None:
    save_some(stage, [1, 2, 3, 4, 5])
    damage(stage, "archived.3")

    stored = snapshots_of(stage.store, Trust(KeyRing([KEY])), "test", 3, before=40)
    found = [one.resumed.sequence for one in stored]

    assert found == [5, 4, 2, 1]
    assert [(line["event"], line["snapshot"]) for line in lines] == [("snapshot_not_used", "archived")]
    assert "signature" in lines[0]["error"]


def test_a_snapshot_of_another_configuration_is_not_taken_up(tmp_path: Path, stage: Stage, lines: list[Any]) -> None:
    save(stage, stage.task(), 1)
    changed = Stage(tmp_path, overrides={"model": {"learner": {"kind": "hoeffding_tree"}}})
    assert changed.snapshots.load(3) is None
    assert [line["error"] for line in lines] == ["it was made with another configuration"]


def test_a_snapshot_of_a_version_whose_states_are_made_otherwise_is_passed_over(
    stage: Stage, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a newest snapshot of a version that knew nothing of decisions, nor of formats
    def as_it_was(obj: Any, *, metadata: Mapping[str, Any], **options: Any) -> bytes:
        return seal(obj, metadata={name: value for name, value in metadata.items() if name != "format"}, **options)

    task = save_some(stage, [1])
    del task.engine.state.tuner
    with monkeypatch.context() as then:
        then.setattr("learners.artifacts.seal", as_it_was)
        save(stage, task, 2)

    # When the task is resumed
    resumed = stage.snapshots.load(3)

    # Then it is from the one that it can go on with, and a line says why
    assert resumed is not None
    assert resumed.sequence == 1
    assert [(line["snapshot"], line["error"]) for line in lines] == [
        ("newest", f"it holds a state of format 0; this version takes up format {FORMAT}")
    ]


def test_a_snapshot_of_another_partition_is_not_taken_up(stage: Stage, lines: list[Any]) -> None:
    save(stage, stage.task(), 1)
    data = stage.store.load("3")
    assert data is not None
    stage.store.save("4", data, owner=stage.store.claim("4"))
    assert stage.snapshots.load(4) is None
    assert "sealed as snapshot of task '3' of app 'test' stands in the place of" in lines[0]["error"]


def test_an_archived_snapshot_under_the_name_of_another_is_passed_over(stage: Stage, lines: list[Any]) -> None:
    save_some(stage, [1, 2, 3, 4, 5])
    folder = stage.store._root / "3"
    third, fourth = (next(folder.glob(f"archived.{number}.*")) for number in (3, 4))
    fourth.write_bytes(third.read_bytes())

    stored = snapshots_of(stage.store, Trust(KeyRing([KEY])), "test", 3)

    assert [one.resumed.sequence for one in stored] == [5, 4, 5, 3, 2, 1]
    assert [line["error"] for line in lines] == ["it is of entry 3, in the place of 4"]


def test_a_store_that_cannot_be_read_is_not_taken_for_an_empty_one(stage: Stage) -> None:
    save(stage, stage.task(), 1)
    root = stage.store._root
    root.rename(root.with_name("elsewhere"))
    root.write_text("in the way")
    with pytest.raises(StoreError):
        stage.snapshots.load(3)


def test_of_two_workers_with_one_task_only_the_later_one_is_stored(tmp_path: Path, stage: Stage) -> None:
    stage.snapshots.claim(3)
    task = stage.task()
    save(stage, task, 1)
    other = Stage(tmp_path)
    other.snapshots.claim(3)
    save(stage, task, 2)
    assert stage.stored() == 1
    save(other, task, 3)
    assert other.stored() == 3
    assert stage.value("driftline_snapshot_failures_total") == [1]


# metrics


def test_metrics_tell_when_the_stored_snapshot_was_taken_and_how_large_it_is(stage: Stage, tmp_path: Path) -> None:
    assert stage.value("driftline_snapshot_timestamp_seconds") == []
    save(stage, stage.task(), 1)
    data = stage.store.load("3")
    assert data is not None
    assert stage.value("driftline_snapshot_bytes") == [len(data)]
    [taken] = stage.value("driftline_snapshot_timestamp_seconds")

    successor = Stage(tmp_path)
    successor.snapshots.load(3)
    assert successor.value("driftline_snapshot_timestamp_seconds") == [taken]
    assert successor.value("driftline_snapshot_bytes") == [len(data)]


def test_a_state_that_cannot_be_sealed_is_counted_and_costs_nothing_else(stage: Stage, lines: list[Any]) -> None:
    task = stage.task()
    task.engine.state.counts["a", "b"] = stage  # type: ignore[assignment]
    save(stage, task, 1)
    assert stage.stored() == 0
    assert stage.value("driftline_snapshot_failures_total") == [1]
    assert [line["event"] for line in lines] == ["snapshot_not_saved"]
