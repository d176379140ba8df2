from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

import stream.cli
from stream.cli.commands import app
from stream.log import configure, masked


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_json_line_holds_event_level_time_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    structlog.get_logger().warning("model_store_down", store="127.0.0.1:6379", serving=12)

    captured = capsys.readouterr()
    line = json.loads(captured.err)
    assert captured.out == ""
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() == timedelta(0)
    assert line == {"event": "model_store_down", "level": "warning", "store": "127.0.0.1:6379", "serving": 12}


def test_a_console_line_reads_as_a_sentence_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console")
    structlog.get_logger().info("swapped", version=13)
    line = capsys.readouterr().err
    assert "swapped" in line
    assert "version=13" in line
    assert "\x1b" not in line


@pytest.mark.parametrize(("terminal", "as_json"), [(True, False), (False, True)])
def test_left_to_itself_it_writes_for_people_on_a_terminal_and_for_programs_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool, as_json: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    configure()
    structlog.get_logger().info("swapped", version=13)

    assert capsys.readouterr().err.startswith("{") is as_json


@pytest.mark.parametrize(
    "command", ["run", "web", "demo", "simulate", "explain", "alerts tail", "predictions tail"], ids=lambda name: name
)
def test_each_command_that_logs_lets_the_format_be_chosen(command: str) -> None:
    env = {"COLUMNS": "200", "NO_COLOR": "1"}
    helped = CliRunner().invoke(app, [*command.split(), "--help"], env=env)
    refused = CliRunner().invoke(app, [*command.split(), "--log-format", "xml"], env=env)

    assert "--log-format" in helped.output
    assert "console on a terminal, json elsewhere" in " ".join(helped.output.split())
    assert refused.exit_code == 2


def test_every_command_that_writes_log_lines_asks_for_their_format() -> None:
    commands = set(Path(stream.cli.__file__).parent.glob("*.py"))
    commands = {file for file in commands if file.stem != "auditing"}  # which keeps libraries quiet, and writes none
    calls = [call for file in commands for call in re.findall(r"configure\((.*?)\)", file.read_text())]

    assert calls
    assert [call for call in calls if not call.startswith("log_format")] == []


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "warning")
    structlog.get_logger().info("quiet")
    assert capsys.readouterr().err == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="log level 'loud' is unknown; expected debug"):
        configure("json", "loud")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="log format 'xml' is unknown; expected console or json"):
        configure("xml")


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_secret_is_written(capsys: pytest.CaptureFixture[str], style: str) -> None:
    configure(style)
    log = structlog.get_logger()
    log.error(
        "no connection to redis://bob:hunter2@host:6379/0", password="hunter2", options={"sasl_password": "hunter2"}
    )
    log.error("unix", address="unix:///run/redis.sock?password=hunter2&db=1", tried=["rediss://:hunter2@a", "b"])
    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert "***@host:6379/0" in written


def test_a_secret_in_an_exception_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")
    try:
        raise RuntimeError("redis://bob:hunter2@host")
    except RuntimeError:
        structlog.get_logger().exception("failed")
    written = capsys.readouterr().err
    assert "RuntimeError" in written
    assert "hunter2" not in written


def test_lines_of_other_libraries_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    logging.getLogger("somebody").error("it broke at redis://:hunter2@host")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"]) == ("it broke at redis://***@host", "error")


def test_what_the_clients_repeat_shows_only_when_debugging(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    logging.getLogger("kafka.conn").error("cannot connect")
    assert capsys.readouterr().err == ""

    configure("json", "debug")
    logging.getLogger("kafka.conn").error("cannot connect")
    assert "cannot connect" in capsys.readouterr().err


def test_addresses_without_secrets_stay_as_they_are() -> None:
    assert masked("redis://host:6379/0?socket_timeout=3") == "redis://host:6379/0?socket_timeout=3"
