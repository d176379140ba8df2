"""An older snapshot put in the place of the newest: genuine, so it opens; and the task is the same in the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from learners.artifacts import KeyRing, SigningKey, Trust
from stream.basis import Basis
from stream.core.fingerprint import fingerprint
from stream.kafka.client import Position
from stream.kafka.opening import Opener
from stream.kafka.snapshots import Snapshots
from stream.kafka.task import Task
from stream.stores.files import FileSnapshots
from stream.telemetry import Telemetry
from stream.testing import event, label, small_config
from tests.unit.kafka.memory import Life, nothing

KEY = SigningKey("k1", b"0123456789abcdef0123456789abcdef")
CONFIG = small_config()
JOURNAL = "driftline-test-journal"


def take(life: Life, first: int) -> None:
    numbers = range(first, first + 30)
    life.take([*(event(n, {"x": float(n % 7), "kind": "a"}) for n in numbers), *(label(n, n % 7 > 3) for n in numbers)])


@pytest.fixture
def life() -> Life:
    return Life(CONFIG)


@pytest.fixture
def snapshots(tmp_path: Path) -> Iterator[Snapshots]:
    store = FileSnapshots(tmp_path, CONFIG.app)
    snapshots = Snapshots(Basis(CONFIG), store, Trust(KeyRing([KEY]), KEY), Telemetry("small"))
    yield snapshots
    snapshots.close(5.0)


def save(life: Life, snapshots: Snapshots) -> None:
    journal = len(life.log.records[JOURNAL, 0])
    snapshots.save(life.task, journal=journal, sequence=life.task.sequence)
    assert snapshots.flush(5.0)


def opened(life: Life, snapshots: Snapshots) -> Task:
    opener = Opener(Basis(CONFIG), snapshots, Telemetry("small"), nothing, life.log.reader)
    positions = life.task.engine.state.positions
    committed = {topic: Position(offset, str(life.task.sequence)) for topic, offset in positions.items()}
    return next(step for step in opener.open(0, {"events": None, "labels": None, **committed}) if step is not None)


def test_an_older_snapshot_in_the_place_of_the_newest_is_caught_up_from_the_journal(
    life: Life, snapshots: Snapshots, tmp_path: Path
) -> None:
    # Given two snapshots, and the older one where the newer one was
    take(life, 0)
    save(life, snapshots)
    take(life, 30)
    take(life, 60)
    save(life, snapshots)
    older, newest = sorted((tmp_path / CONFIG.app / "0").glob("snapshot.*"))
    newest.write_bytes(older.read_bytes())
    resumed = snapshots.load(0)
    assert resumed is not None
    assert resumed.sequence == 1

    # When the task is opened
    with capture_logs() as logs:
        task = opened(life, snapshots)

    # Then it has learned what it had learned, and nothing twice
    assert fingerprint(task.engine.state) == fingerprint(life.task.engine.state)
    assert [entry["entries"] for entry in logs if entry["event"] == "resumed"] == [2]


def test_a_snapshot_of_what_was_never_committed_is_not_taken_up(life: Life, snapshots: Snapshots) -> None:
    take(life, 0)
    snapshots.save(life.task, journal=0, sequence=life.task.sequence + 5)
    assert snapshots.flush(5.0)

    with capture_logs() as logs:
        task = opened(life, snapshots)

    assert fingerprint(task.engine.state) == fingerprint(life.task.engine.state)
    assert [entry["event"] for entry in logs][:1] == ["snapshot_ahead"]
