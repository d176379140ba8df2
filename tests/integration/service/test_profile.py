"""Services whose detectors start with a profile that is kept with the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stream.cli.commands import app
from stream.errors import ConfigError
from stream.service import Service
from tests.integration.service.conftest import MakeStage
from tests.integration.support.running import InThread
from tests.integration.support.stage import Stage, event, label, x_of

REFERENCE, WINDOW, EVERY = 100, 50, 10
WATCHING = {
    "detectors": {"data": [{"kind": "ks", "reference": REFERENCE, "window": WINDOW, "every": EVERY}]},
    "references": {"profile": "redis"},
}


def driftline(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def push(stage: Stage, folder: Path, higher: float = 2.0) -> None:
    """Keep a profile with the model, of a time when x was higher: between 1 and 3."""
    events, profile = folder / "events.jsonl", folder / "profile.json"
    rows = [{"id": f"e{n}", "x": x_of(n) + higher, "kind": "ab"[n % 2]} for n in range(500)]
    events.write_text("\n".join(map(json.dumps, rows)))
    driftline("profile", "build", "-c", str(stage.file), str(events), "-o", str(profile), "--force")
    driftline("profile", "push", "-c", str(stage.file), str(profile))


def agrees(stage: Stage, id_: str) -> bool:
    """Whether an explanation comes to what was published."""
    return bool(json.loads(driftline("explain", id_, "--json", "-c", str(stage.file)))["agrees"])


def test_a_service_without_the_profile_that_it_names_is_not_started(make_stage: MakeStage) -> None:
    with pytest.raises(ConfigError, match=r"references.profile: there is none of model small"):
        Service(make_stage(WATCHING).config)


def test_a_new_service_judges_from_its_first_full_window_and_its_predictions_are_explained(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    stage = make_stage(WATCHING)
    push(stage, tmp_path)
    stage.produce("events", [event(n) for n in range(120)])
    stage.produce("labels", [label(n) for n in range(120)])

    with InThread(stage):
        stage.predictions(at_least=120)
        alert = stage.alerts("data_drift")[0].json
    with InThread(stage):  # it goes on from its snapshot
        stage.produce("events", [event(n) for n in range(120, 140)])
        stage.predictions(at_least=140)

    assert (alert["detector"], alert["feature"], alert["direction"]) == ("ks", "x", "down")
    assert alert["offset"] == WINDOW - 1
    assert len(stage.alerts("data_drift")) == 1, "the stream is its reference now"
    for id_ in ("e40", "e130"):
        assert agrees(stage, id_)
    push(stage, tmp_path, higher=4.0)
    assert agrees(stage, "e40"), "the profile of then is kept"
