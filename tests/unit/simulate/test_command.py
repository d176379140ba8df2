"""`driftline simulate` without Kafka: files, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from stream.cli.simulate import describe, simulate
from stream.errors import ConfigError
from stream.simulate.player import PlayStats

app = typer.Typer()
app.command()(simulate)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def refusal(*arguments: str) -> str:
    error = run(*arguments).exception
    assert isinstance(error, ConfigError)
    return str(error)


def test_a_file_holds_topic_time_key_and_value_of_each_record(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    result = run("sensor", "--events", "40", "--to-file", str(path))

    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0].keys() == {"topic", "ts", "key", "value"}
    assert lines[0]["key"] == lines[0]["value"]["machine"]
    assert [line["ts"] for line in lines] == sorted(line["ts"] for line in lines)
    assert sum(line["topic"] == "events" for line in lines) == 40


def test_a_file_of_events_only_holds_their_bare_values(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    run("payments", "--events", "25", "--to-file", str(path), "--only", "events")

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 25
    assert all("payment" in line and "topic" not in line for line in lines)


def test_start_and_end_cut_a_stretch_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    stretch = ("--start", "2024-01-02", "--end", "2024-01-02T06:00+00:00")
    run("sensor", *stretch, "--to-file", str(path), "--only", "events")

    times = [json.loads(line)["ts"] for line in path.read_text().splitlines()]
    assert (times[0], times[-1] < 1_704_175_200.0) == (1_704_153_600.0, True)
    assert len(times) == 6 * 12 * 8


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    assert "cannot be written" in refusal("sensor", "--events", "5", "--to-file", str(tmp_path / "no" / "out.jsonl"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("sensor",), "no service to play to"),
        (("sensor", "-c", "x.yaml", "--speed", "fast"), "--speed is 'fast'"),
        (("sensor", "-c", "x.yaml", "--speed", "0"), "--speed is '0'"),
        (("sensor", "-c", "x.yaml", "--start", "tuesday"), "--start is 'tuesday'"),
        (("sensor", "-c", "x.yaml", "--only", "events"), "--only is for files"),
        (("sensor", "--to-file", "out.jsonl"), "sensor never end"),
        (("sensor", "--events", "5", "--to-file", "out.jsonl", "--duplicate-rate", "0.5"), "faults are for Kafka"),
        (("sensor", "--imbalance", "100"), "imbalance is for payments"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_cure(arguments: tuple[str, ...], complaint: str) -> None:
    assert complaint in refusal(*arguments)


def test_progress_tells_simulated_time_counts_and_speed() -> None:
    stats = PlayStats(events=1500, labels=1400, first=1_357_000_000.0, last=1_357_007_200.0, seconds=2.0)

    assert describe(stats) == "2013-01-01 02:26  1,500 events  1,400 labels  1,450 records/s  3,600x life"


def test_progress_of_nothing_says_so() -> None:
    assert describe(PlayStats()) == "nothing to play: no event in this stretch"
