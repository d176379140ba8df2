"""Tasks whose detectors started with a profile, done over from their journal and rebuilt to explain a prediction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from learners.artifacts import KeyRing, SigningKey
from learners.base import Learner
from stream.basis import Basis
from stream.core.fingerprint import fingerprint
from stream.kafka.client import Position
from stream.kafka.opening import Opener
from stream.kafka.rebuild import NotRebuilt, Rebuilder
from stream.kafka.snapshots import Snapshots
from stream.kafka.task import Task
from stream.profile import Profile
from stream.stores.files import FileSnapshots
from stream.telemetry import Telemetry
from stream.testing import event, label, small_config
from tests.unit.kafka.memory import Life

KEY = SigningKey("k1", b"0123456789abcdef0123456789abcdef")
CONFIG = small_config({"detectors": {"data": [{"kind": "ks", "reference": 100, "window": 50, "every": 10}]}})


def profile(shift: float = 0.0) -> Profile:
    return Profile(
        model="small",
        made=datetime(2026, 1, 1, tzinfo=UTC),
        source="training.jsonl",
        events=100,
        dead_letters=0,
        seed=1,
        times=[0.0] * 100,
        features={"x": [shift + n / 100 for n in range(100)], "kind": ["a"] * 100},
    )


def nothing(digest: str) -> Learner[Any]:
    raise AssertionError("no artifact is needed")


@pytest.fixture
def life() -> Life:
    """A task that began with the profile: 120 events and their labels, in two commits."""
    life = Life(CONFIG, profile=profile())
    for first in (0, 60):
        numbers = range(first, first + 60)
        events = [event(n, {"x": 5.0 + n % 7, "kind": "a"}) for n in numbers]
        life.take([*events, *(label(n, n % 7 > 3) for n in numbers)])
    return life


@pytest.fixture
def snapshots(tmp_path: Path) -> Iterator[Snapshots]:
    basis = Basis(CONFIG, profile)
    snapshots = Snapshots(basis, FileSnapshots(tmp_path, "test"), KEY, KeyRing([KEY]), Telemetry("small"))
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

    task = opened(life, snapshots, Basis(CONFIG, profile))

    assert fingerprint(task.engine.state) == fingerprint(life.task.engine.state)


def test_with_another_profile_or_none_the_journal_is_that_of_another_task(life: Life, snapshots: Snapshots) -> None:
    for basis in (Basis(CONFIG, lambda: profile(1.0)), Basis(CONFIG)):
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
        return Snapshots(basis, store, KEY, KeyRing([KEY]), Telemetry("small")).load(0) is not None

    assert found(Basis(CONFIG, profile))
    assert not found(Basis(CONFIG, lambda: profile(1.0)))


def test_a_prediction_is_explained_with_the_profile_of_then_and_refused_with_another(
    life: Life, tmp_path: Path
) -> None:
    def rebuilder(basis: Basis) -> Rebuilder:
        return Rebuilder(basis, FileSnapshots(tmp_path, "test"), KeyRing([KEY]), nothing, life.log.reader)

    rebuilt = rebuilder(Basis(CONFIG, profile)).rebuild(*life.predictions[110])
    assert rebuilt.differences == {}
    with pytest.raises(NotRebuilt, match="another configuration") as refusal:
        rebuilder(Basis(CONFIG, lambda: profile(1.0))).rebuild(*life.predictions[110])
    assert "references.profile" in (refusal.value.cure or "")
