"""`driftline profile` without Redis, and what `driftline check` says of a profile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stream.cli.commands import app
from stream.errors import ConfigError, DriftlineError

CONFIG = """
app: flights
topics: {events: e, labels: l, predictions: p, alerts: a, dead_letters: d}
events: {features: {delay: {type: number}, carrier: {type: category}}}
model: {name: delays, problem: binary, learner: {kind: logistic}}
detectors: {data: [{kind: ks, reference: 100}]}
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration and events in the directory where the commands run; every fourth event has no delay."""
    monkeypatch.chdir(tmp_path)
    Path("flights.yaml").write_text(CONFIG)
    rows = [{"id": n, "carrier": "ABA"[n % 3], **({"delay": n} if n % 4 else {})} for n in range(400)]
    Path("events.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\nnonsense\n")


def run(command: str) -> Result:
    return CliRunner().invoke(app, command.split())


def said(command: str) -> str:
    result = run(command)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def refused(command: str) -> DriftlineError:
    error = run(command).exception
    assert isinstance(error, DriftlineError), repr(error)
    return error


def configure(references: str) -> None:
    Path("flights.yaml").write_text(f"{CONFIG}references: {{{references}}}\n")


def test_build_writes_a_profile_that_check_takes_and_show_shows() -> None:
    output = said("profile build -c flights.yaml events.jsonl -o usual.json")
    assert "Wrote usual.json: 200 events of 400 in events.jsonl, seed 1." in output
    assert "Left out 1 line that would be dead letters. The first: events.jsonl[0]@401: " in output

    configure("profile: usual.json")
    assert "OK flights.yaml" in said("check -c flights.yaml")

    shown = said("profile show -c flights.yaml usual.json")
    (delay,) = (line for line in shown.splitlines() if "delay" in line and "%" in line)
    (carrier,) = (line for line in shown.splitlines() if "carrier" in line)
    assert "200 events of 400" in shown
    assert " 200 " in carrier
    assert "A 6" in carrier, "two thirds"
    assert "2" in delay


def test_a_profile_is_not_overwritten_unless_that_is_asked_for() -> None:
    said("profile build -c flights.yaml events.jsonl")
    before = Path("profile.json").read_bytes()
    assert "profile.json is there already" in refused("profile build -c flights.yaml events.jsonl --seed 2").message
    assert Path("profile.json").read_bytes() == before
    said("profile build -c flights.yaml events.jsonl --seed 2 --force")
    assert Path("profile.json").read_bytes() != before


def test_a_profile_with_too_few_values_is_not_written_and_the_cure_is_named() -> None:
    error = refused("profile build -c flights.yaml events.jsonl --events 110")
    assert "values of feature 'delay', in 110 events; detector ks lacks" in error.message
    assert "--events" in (error.cure or "")
    assert not Path("profile.json").exists()

    configure("lacking: learn")
    said("profile build -c flights.yaml events.jsonl --events 110")
    assert Path("profile.json").exists()


def test_check_refuses_a_profile_that_is_not_there_or_contradicts_the_features() -> None:
    configure("profile: usual.json")
    assert "references.profile: there is no file usual.json" in refused("check -c flights.yaml").message
    said("profile build -c flights.yaml events.jsonl -o usual.json")

    text = Path("flights.yaml").read_text().replace("carrier: {type: category}", "carrier: {type: number}")
    Path("flights.yaml").write_text(text)

    error = refused("check -c flights.yaml")
    assert isinstance(error, ConfigError)
    assert "references.profile: usual.json: feature 'carrier' is declared as a number" in error.message


def test_push_refuses_what_a_service_would_refuse_before_it_asks_for_redis() -> None:
    Path("wrong.json").write_text("{}")
    assert "FILE: wrong.json: it is no profile" in refused("profile push -c flights.yaml wrong.json").message
