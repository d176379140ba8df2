"""Recorded records give the recorded effects, to the last digit that is the same on every processor."""

from __future__ import annotations

import json

from tests.golden.recorder import EXPECTED, RECORDS, replay
from tests.golden.shape import SHAPE, shape


def test_recorded_records_give_the_recorded_effects() -> None:
    made, expected = replay(), EXPECTED.read_text().splitlines()

    for number, (ours, theirs) in enumerate(zip(made, expected, strict=False), start=1):
        assert json.loads(ours) == json.loads(theirs), (
            f"effect {number} differs; if that is meant: python {RECORDS.parent.name}/recorder.py"
        )
    assert len(made) == len(expected)


def test_the_recording_has_every_kind_of_record_and_effect() -> None:
    lines = [json.loads(line) for line in EXPECTED.read_text().splitlines()]
    kinds = {kind for line in lines for kind in line}
    counts = lines[-1]["counts"]

    assert {"Prediction", "Rejected", "Alert"} <= kinds
    for name in ("predicted", "duplicate", "dead_lettered"):
        assert counts[f"events {name}"], name
    for name in ("joined", "duplicate", "dead_lettered"):
        assert counts[f"labels {name}"], name
    assert counts["predictions expired"]


def test_what_a_state_is_made_of_changes_only_with_its_format() -> None:
    assert shape() == SHAPE.read_text().splitlines(), (
        "snapshots of before would be taken up and lack something: raise FORMAT in stream/core/state.py, "
        "then python -m tests.golden.shape"
    )
