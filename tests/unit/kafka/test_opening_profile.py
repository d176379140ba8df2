"""Tasks whose detectors started with a profile, done over from their journal and rebuilt to explain a prediction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from learners.artifacts import KeyRing, SigningKey, Trust
from stream.basis import Basis
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.kafka.client import Position
from stream.kafka.opening import Opener
from stream.kafka.rebuild import NotRebuilt, Rebuilder
from stream.kafka.snapshots import Snapshots
from stream.kafka.task import Task
from stream.stores.files import FileSnapshots
from stream.telemetry import Telemetry
from stream.testing import event, label, small_config
from tests.profiles import profile
from tests.unit.kafka.memory import Life, nothing

KEY = SigningKey("k1", b"0123456789abcdef0123456789abcdef")
TRUST = Trust(KeyRing([KEY]), KEY)
CONFIG = small_config({"detectors": {"data": [{"kind": "ks", "reference": 100, "window": 50, "every": 10}]}})


OURS, ANOTHER = (profile(x=[shift + n / 100 for n in range(100)], kind=["a"] * 100) for shift in (0.0, 1.0))
BASIS, OTHER = Basis(CONFIG, lambda: OURS), Basis(CONFIG, lambda: ANOTHER)


@pytest.fixture
def life() -> Life:
    """A task that began with the profile: 120 events and their labels, in two commits."""
    life = Life(CONFIG, profile=OURS)
    for first in (0, 60):
        numbers = range(first, first + 60)
        events = [event(n, {"x": 5.0 + n % 7, "kind": "a"}) for n in numbers]
        life.take([*events, *(label(n, n % 7 > 3) for n in numbers)])
    return life


@pytest.fixture
def snapshots(tmp_path: Path) -> Iterator[Snapshots]:
    snapshots = Snapshots(BASIS, FileSnapshots(tmp_path, "test"), TRUST, Telemetry("small"))
    yield snapshots
    snapshots.close(5.0)


def opened(life: Life, snapshots: Snapshots, basis: Basis) -> Task:
    opener = Opener(basis, snapshots, Telemetry("small"), nothing, life.log.reader)
    committed = {
        topic: Position(offset, str(life.task.sequence)) for topic, offset in life.task.engine.state.positions.items()
    }
    return next(step for step in opener.open(0, {"events": None, "labels": None, **committed}) if step is not None)


def test_a_task_done_over_from_its_journal_comes_to_what_it_was(life: Life, snapshots: Snapshots) -> None:
    assert life.task.engine.state.monitors.readings()["ks", "x"].reference_n == 70, "it drifted from its profile"

    task = opened(life, snapshots, BASIS)

    assert fingerprint(task.engine.state) == fingerprint(life.task.engine.state)


def test_with_another_profile_or_none_the_journal_is_that_of_another_task(life: Life, snapshots: Snapshots) -> None:
    for basis in (OTHER, Basis(CONFIG)):
        with capture_logs() as logs:
            task = opened(life, snapshots, basis)
        (gap,) = [entry for entry in logs if entry["event"] == "resume_gap"]
        assert gap["why"] == "entry 1 was made with another configuration"
        assert task.engine.state.positions == life.task.engine.state.positions


def test_a_snapshot_counts_for_its_profile_only(life: Life, snapshots: Snapshots, tmp_path: Path) -> None:
    snapshots.claim(0)
    snapshots.save(life.task, journal=0, sequence=life.task.sequence)
    assert snapshots.flush(5.0)
    store = FileSnapshots(tmp_path, "test")

    def found(basis: Basis) -> bool:
        return Snapshots(basis, store, TRUST, Telemetry("small")).load(0) is not None

    assert found(BASIS)
    assert not found(OTHER)


def test_a_prediction_is_explained_with_the_profile_of_then_and_refused_with_another(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[Engine] = []

    def remembered(*arguments: Any) -> Engine:
        engines.append(Engine(*arguments))
        return engines[-1]

    monkeypatch.setattr("stream.kafka.rebuild.Engine", remembered)

    def rebuilder(basis: Basis) -> Rebuilder:
        return Rebuilder(basis, FileSnapshots(tmp_path, "test"), TRUST, nothing, life.log.reader)

    rebuilt = rebuilder(BASIS).rebuild(*life.predictions[110])
    assert rebuilt.differences == {}
    assert engines[-1].state.monitors.readings()["ks", "x"].reference_n == 60, "it drifted from its profile"
    with pytest.raises(NotRebuilt, match="another configuration") as refusal:
        rebuilder(OTHER).rebuild(*life.predictions[110])
    assert "references.profile" in (refusal.value.cure or "")


def test_a_prediction_from_before_another_profile_is_explained_with_the_one_of_then(life: Life, tmp_path: Path) -> None:
    asked: list[str] = []

    def earlier(digest: str) -> Basis | None:
        asked.append(digest)
        return BASIS if digest == BASIS.digest else None

    def rebuilder(basis: Basis) -> Rebuilder:
        store = FileSnapshots(tmp_path, "test")
        return Rebuilder(basis, store, TRUST, nothing, life.log.reader, earlier=earlier)

    assert rebuilder(OTHER).rebuild(*life.predictions[110]).differences == {}
    assert rebuilder(BASIS).rebuild(*life.predictions[110]).differences == {}
    assert asked == [BASIS.digest]
