"""What the worker says of the outputs it sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from stream.kafka.publisher import QUIET, Publisher
from stream.records import Alert, Contributor, Rejected, Span
from stream.sinks.kafka import KafkaSink
from stream.telemetry import Telemetry
from stream.testing import drive, event, small_config
from tests.clock import Clock
from tests.unit.kafka.brokers import Broker, at_least_once
from tests.unit.kafka.test_task import a_task
from tests.unit.test_telemetry import value


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("test")


@pytest.fixture
def publish(clock: Clock, telemetry: Telemetry) -> tuple[Publisher, Callable[[str, int], None]]:
    config = small_config()
    delivery = at_least_once(Broker())
    publisher = Publisher(KafkaSink(config), delivery, telemetry, clock)

    def bad(reason: str, n: int) -> None:
        letters = [Rejected("events", 0, i, 0.0, reason, f"{reason} number {i}", None, b"x") for i in range(n)]
        publisher.publish(0, letters)

    return publisher, bad


def test_a_flood_of_dead_letters_is_one_log_line_a_reason_until_it_has_been_quiet(
    publish: tuple[Publisher, Callable[[str, int], None]], clock: Clock
) -> None:
    publisher, bad = publish
    with capture_logs() as lines:
        bad("wrong_type", 1000)
        bad("bad_label", 1)
        publisher.tell_the_rest()
        clock.now += QUIET
        bad("wrong_type", 2)
    assert [(line["event"], line["reason"], line["message"], line.get("more")) for line in lines] == [
        ("dead_letter", "wrong_type", "wrong_type number 0", None),
        ("dead_letter", "bad_label", "bad_label number 0", None),
        ("dead_letter", "wrong_type", "wrong_type number 0", 999),
    ]


def test_dead_letters_no_line_was_about_are_told_in_number_when_no_more_come(
    publish: tuple[Publisher, Callable[[str, int], None]], clock: Clock
) -> None:
    publisher, bad = publish
    bad("wrong_type", 1000)
    clock.now += QUIET
    with capture_logs() as lines:
        publisher.tell_the_rest()
        publisher.tell_the_rest()
    assert lines == [{"event": "dead_letters", "log_level": "warning", "reason": "wrong_type", "more": 999}]


def test_an_alert_is_a_warning_with_what_fits_a_line_and_the_end_of_its_drift_is_none(
    publish: tuple[Publisher, Callable[[str, int], None]], telemetry: Telemetry
) -> None:
    publisher, _ = publish
    known: dict[str, Any] = {"kind": "data_drift", "model": "m", "model_version": 1, "partition": 0, "ts": 0.0}
    others = (Contributor("ks", "x"), Contributor("ks", "y"), Contributor("adwin"))
    begun = Alert(id="a", severity="warning", offset=7, state="open", feature="x", contributors=others, **known)
    ended = Alert(id="b", severity="info", offset=9, state="settled", feature="x", duration=60.0, **known)
    with capture_logs() as lines:
        publisher.publish(0, [begun, ended])

    assert [(line["event"], line["log_level"]) for line in lines] == [("alert", "warning"), ("drift_over", "info")]
    assert (lines[0]["offset"], lines[0]["with"]) == (7, ["y", "adwin"])
    assert not {"ts", "contributors", "duration", "segment"} & lines[0].keys()
    assert (lines[1]["duration"], "with" in lines[1]) == (60.0, False)
    assert value(telemetry, "driftline_alerts_total", kind="data_drift") == 1
    assert value(telemetry, "driftline_drifts_over_total", kind="data_drift", state="settled") == 1


def test_the_end_of_a_drift_is_a_cloud_event_of_a_type_of_its_own() -> None:
    known: dict[str, Any] = {"kind": "data_drift", "model": "m", "model_version": 1, "partition": 0, "ts": 0.0}
    begun = Alert(id="a", severity="warning", offset=7, state="open", **known)
    ended = Alert(id="b", severity="info", offset=9, state="settled", **known)

    types = [dict(KafkaSink(small_config()).alert(one).headers)["ce_type"] for one in (begun, ended)]

    assert types == [b"driftline.data_drift", b"driftline.data_drift.settled"]


def test_a_report_shows_open_drifts_and_the_detectors_on_rejected_records(
    publish: tuple[Publisher, Callable[[str, int], None]], telemetry: Telemetry
) -> None:
    publisher, _ = publish
    publisher.report(a_task(), {})

    state = {"detector": "rejected", "feature": "events", "partition": "0"}
    assert value(telemetry, "driftline_detector_state", **state) == 1
    assert value(telemetry, "driftline_open_drifts", kind="data_drift", partition="0") == 0


def test_a_report_shows_whether_labels_come_and_how_the_models_fit(
    publish: tuple[Publisher, Callable[[str, int], None]], telemetry: Telemetry
) -> None:
    publisher, _ = publish
    task = a_task()
    records = [event(n, {"x": n % 7 / 7}, inline=n % 7 > 3) for n in range(600)]
    drive(task.engine, records, span=100)
    publisher.report(task, {})

    of = {"model": "test", "source": "champion", "partition": "0"}
    assert value(telemetry, "driftline_label_starvation", partition="0") == 0
    assert value(telemetry, "driftline_vanished_classes", partition="0") == 0
    assert value(telemetry, "driftline_label_join_rate", partition="0") == pytest.approx(1.0, abs=0.01)
    assert value(telemetry, "driftline_label_delay_seconds", quantile="p90", partition="0") == 0.0625
    assert value(telemetry, "driftline_fit_gap", **of) is not None
    assert value(telemetry, "driftline_fit_loss", **of) is not None
    assert value(telemetry, "driftline_regularization", setting="l2", **of) == 1e-4


def test_a_report_counts_topics_of_which_more_is_rejected_among_open_drifts(
    publish: tuple[Publisher, Callable[[str, int], None]], telemetry: Telemetry
) -> None:
    task = a_task()
    task.engine.process(Span([], [], [Rejected("events", 0, i, 0.0, "malformed_json", "...") for i in range(20)]), 1e9)

    publish[0].report(task, {})

    assert value(telemetry, "driftline_open_drifts", kind="data_quality", partition="0") == 1
