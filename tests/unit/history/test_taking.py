"""What the frames of a task say of it."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from detectors.base import Reading, State
from stream.history.frames import Layout, Now, Point, finite, ratio
from stream.history.taking import extended, now_of, point_of
from stream.kafka.report import Report, report_of
from stream.records import Alert, Contributor
from tests.unit.history.made import engine_after

WATCHED: dict[str, Any] = {"detectors": {"concept": [{"kind": "adwin"}], "data": [{"kind": "ks"}]}}
EMPTY = Layout((), ())


def told(report: Report | None = None, n: int = 200) -> tuple[Now, Point, Layout]:
    """The frames of a task after `n` events."""
    state = engine_after(n, WATCHED).state
    report = report or report_of(state)
    now = now_of(0, state, report, worker="w", at=1000.0, snapshot=990.0)
    layout = extended(EMPTY, now)
    return now, point_of(now, report, layout), layout


def alert(**known: Any) -> Alert:
    usual: dict[str, Any] = {"id": "a", "ts": 0.0, "kind": "data_drift", "severity": "warning", "offset": 7}
    return Alert(model="m", model_version=1, partition=0, **(usual | known))


def test_details_have_counts_scores_readings_and_label_health() -> None:
    now, _, _ = told()

    assert now.counts == {"events": {"predicted": 200}, "labels": {"joined": 200}}
    assert (now.labelled, now.pending, now.held, now.snapshot) == (200, 0, 0, 990.0)
    assert now.scores["champion"].keys() >= {"brier", "accuracy"}
    assert [(one.detector, one.feature) for one in now.readings] == [
        ("adwin", ""),
        ("ks", "x"),
        ("rejected", "events"),
        ("rejected", "labels"),
    ]
    assert now.readings[1].state == "warmup"
    assert now.labels.delay["p50"] == pytest.approx(0.5, rel=0.2)


def test_a_point_has_what_is_counted_and_packs_its_scores_as_the_layout_says() -> None:
    now, point, layout = told()

    assert (point.events, point.labels, point.dead_letters, point.time) == (200, 200, 0, now.time)
    assert len(point.scores) == 4 * len(layout.scores)
    assert len(point.drift) == len(layout.drift) == len(now.readings)
    assert layout.fits(point)


def test_before_the_first_record_the_time_of_the_stream_is_not_known() -> None:
    now, point, _ = told(n=0)

    assert (now.time, point.time, now.scores) == (None, None, {})


def test_latencies_are_told_by_median_and_99_percent_in_milliseconds() -> None:
    report = Report({}, {}, {}, {}, {}, latencies=[0.001 * n for n in range(1, 101)])
    _, point, _ = told(report)

    assert point.latency_p50_ms == pytest.approx(51.0)
    assert point.latency_p99_ms == pytest.approx(100.0)
    assert told(Report({}, {}, {}, {}, {}))[1].latency_p50_ms is None


def test_a_detector_that_alarmed_and_began_anew_shows_its_alarm() -> None:
    """Its reading is of the warm-up by then."""
    calm = {("ks", "x"): Reading(State.WARMUP)}
    found = alert(detector="ks", feature="x", contributors=(Contributor("ks", "x", over=1.75),))
    over = alert(state="recovered", contributors=(Contributor("ks", "x", over=9.0),))
    _, point, layout = told(Report({}, {}, calm, {}, {}, alerts=[found, over]))

    assert dict(zip(layout.drift, point.drift, strict=True))["ks", "x"] == 1 + 175


def test_a_statistic_that_is_no_number_is_not_told() -> None:
    readings = {("ks", "x"): Reading(State.STABLE, statistic=math.inf, threshold=math.nan)}
    now, _, _ = told(Report({"champion": {"brier": math.nan, "f1": 0.5}}, {}, readings, {}, {}))

    assert (now.readings[0].statistic, now.readings[0].threshold, now.readings[0].ratio) == (None, None, None)
    assert now.scores == {"champion": {"f1": 0.5}}
    assert (finite(math.nan), ratio(1.0, 0.0), ratio(1.0, 4.0)) == (None, None, 0.25)


def test_a_layout_keeps_its_place_for_what_is_not_there_now_and_grows_by_what_is_new() -> None:
    now, _, layout = told()
    fewer = msgspec.structs.replace(now, scores={}, readings=())
    more = msgspec.structs.replace(now, scores={"champion": {"cost": 1.0}})

    assert extended(layout, fewer) is layout
    assert extended(layout, more).scores == (*layout.scores, ("champion", "cost"))
    assert extended(layout, more).id != layout.id


def test_frames_survive_being_written() -> None:
    now, point, layout = told()

    for one in (now, point, layout):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=type(one)) == one


def test_challengers_are_told_with_their_stage_and_evidence() -> None:
    pool = {"adaptation": {"pool": [{"kind": "hoeffding_tree"}], "min_labels": 50}}
    state = engine_after(120, pool).state
    now = now_of(0, state, report_of(state), worker="w", at=1.0, snapshot=None)
    point = point_of(now, report_of(state), EMPTY)

    (one,) = now.challengers
    assert (one.origin, one.labels, one.version) == ("pool", 120, None)
    assert one.evidence is not None
    assert one.needed is not None
    assert one.loss is not None
    assert point.rivals == ((one.number, one.loss),)


def test_delays_of_labels_are_told_as_they_were_reckoned_for_the_report() -> None:
    now, _, _ = told(Report({}, {}, {}, {}, {}, delays={"p50": 2.5, "p90": math.nan}))

    assert now.labels.delay == {"p50": 2.5}


def test_a_point_names_the_detectors_of_errors_that_warn() -> None:
    state = engine_after(200, WATCHED).state
    report = report_of(state)
    warning, stable = Reading(State.WARNING, 2.0, 3.0), Reading(State.STABLE, 0.1, 3.0)
    report = report._replace(readings={("ddm", ""): warning, ("adwin", ""): stable, ("chi_squared", "kind"): warning})
    now = now_of(0, state, report, worker="w", at=1000.0, snapshot=None)

    assert point_of(now, report, extended(EMPTY, now)).warned == ("ddm",)
