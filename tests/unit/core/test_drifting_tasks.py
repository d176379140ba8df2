"""Drifts from their beginning to their end in a task."""

from __future__ import annotations

import pickle
import random
from collections.abc import Mapping

import pytest

from stream.config.model import Config
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.records import Alert, Event, Label, Span, Swap
from stream.testing import drive, event, label, small_config
from tests.unit.core.streams import DETECT, alerts, drifts, stream
from tests.unit.core.test_cuts import one_by_one, spans


def test_drifts_that_are_not_told_start_challengers_all_the_same() -> None:
    flips = [*stream(600), *stream(600, start=600, flip_at=0), *stream(600, start=1200)]
    quiet = Engine(small_config({**DETECT, "alerts": {"cooldown": "30d"}}), 0)
    loud = Engine(small_config({**DETECT, "alerts": {"cooldown": 0}}), 0)

    told = [len(drifts(drive(engine, flips), "concept_drift")) for engine in (quiet, loud)]

    assert told == [1, 2]
    assert fingerprint(quiet.state.adaptation) == fingerprint(loud.state.adaptation)


def test_alerts_of_a_drift_that_is_adapted_to_end_with_the_new_champions_recovery() -> None:
    engine = Engine(small_config({**DETECT, "adaptation": {"min_labels": 100, "margin": 0.05}}), 0)
    engine.command(Swap(engine.state.champion, 1, "first"), 0.0)
    told: list[Alert] = []
    for one in stream(2500, flip_at=600):
        span = Span([one], []) if isinstance(one, Event) else Span([], [one])
        effects, _, _ = engine.take(span, 1e9)
        told += alerts(effects, "concept_drift")
        if engine.proposal is not None:
            engine.command(Swap(engine.proposal.learner, engine.state.version + 1, "beat_champion"), 1e9)

    assert [a.state for a in told] == ["open", "recovered"]
    assert [a.model_version for a in told] == [1, engine.state.version]
    assert told[0].incident == told[1].incident == told[0].id


STORIES: Mapping[str, object] = {
    "labels": {"max_pending": 100},
    "detectors": {
        "concept": [{"kind": "page_hinkley", "threshold": 5}, {"kind": "ddm"}],
        "data": [
            {"kind": "ks", "reference": 100, "window": 60, "every": 7},
            {"kind": "wasserstein", "reference": 100, "window": 40, "every": 10},
        ],
    },
    "adaptation": {"policy": "keep_learning"},
    "alerts": {"cooldown": "5m"},
}


def story(seed: int) -> list[Event | Label]:
    """A world that turns over for good, and one feature that moves away, back, and away for good."""
    rng = random.Random(seed)
    records: list[Event | Label] = []
    for n in range(3400):
        x = rng.uniform(-1, 1)
        moved = 3.0 if 800 <= n < 980 or n >= 2200 else 0.0
        records.append(event(n, {"x": x, "y": rng.gauss(moved, 1)}))
        records.append(label(n, (x > 0) != (1000 <= n < 1400 or n >= 2600)))
    return records


def storied() -> Config:
    return small_config({**STORIES, "events": {"features": {"x": {"type": "number"}, "y": {"type": "number"}}}})


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_beginnings_and_ends_of_drifts_do_not_depend_on_how_the_stream_is_cut(share: float) -> None:
    records = story(1)
    whole, cut = Engine(storied(), 0), Engine(storied(), 0)

    expected = [effect for span in one_by_one(records) for effect in whole.process(span, 1e9)]
    made = [effect for span in spans(records, random.Random(3), share) for effect in cut.process(span, 1e9)]

    told = [effect for effect in made if isinstance(effect, Alert)]
    assert told == [effect for effect in expected if isinstance(effect, Alert)]
    assert fingerprint(cut.state.incidents) == fingerprint(whole.state.incidents)
    assert {(a.kind, a.state) for a in told} == {
        ("data_drift", "open"),
        ("data_drift", "recovered"),
        ("data_drift", "settled"),
        ("concept_drift", "open"),
        ("concept_drift", "recovered"),
    }


def test_a_task_restored_amid_a_drift_tells_the_same_of_its_end() -> None:
    records = story(1)
    engine = Engine(storied(), 0)
    drive(engine, records[:1700], span=10)
    assert engine.state.incidents.count() == {"data_drift": 1}

    restored = Engine(engine.config, 0, pickle.loads(pickle.dumps(engine.state)))
    told, expected = (drive(one, records[1700:4000], span=10) for one in (restored, engine))

    assert [a for a in told if isinstance(a, Alert)] == [a for a in expected if isinstance(a, Alert)] != []
    assert fingerprint(restored.state.incidents) == fingerprint(engine.state.incidents)
