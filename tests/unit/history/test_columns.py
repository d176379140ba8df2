"""What columns are made of points: thinned, of one partition or of all together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from stream.history import columns
from stream.history.columns import Bins, Part
from stream.history.frames import LARGEST, Layout, Point
from tests.unit.history.made import LAYOUTS, point

WINDOW = 100


def parts_of(points: Sequence[Point], bins: Bins) -> list[Part]:
    partitions = sorted({one.partition for one in points})
    return [Part([one for one in points if one.partition == of], LAYOUTS, bins, "brier") for of in partitions]


def told(points: Sequence[Point], bins: Bins) -> dict[str, list[Any]]:
    parts = parts_of(points, bins)
    return columns.told(columns.values_of(parts, bins.n), columns.filled(parts))


def scores(points: Sequence[Point], bins: Bins, source: str = "champion") -> list[float | None]:
    parts = parts_of(points, bins)
    return columns.listed(columns.scores_of(parts, bins.n, WINDOW)[source, "brier"], columns.filled(parts))


def drift(points: Sequence[Point], bins: Bins) -> list[float | None]:
    parts = parts_of(points, bins)
    return columns.listed(columns.drift_of(parts, bins.n)["ks", "x"], columns.filled(parts))


def every_second(n: int) -> Bins:
    return Bins(100.0, 1.0, n, 1.0)


def test_rates_are_what_was_counted_since_the_column_before() -> None:
    points = [point(99.0 + n, events=100 * n, labels=10 * n * n, dead_letters=n) for n in range(4)]

    found = told(points, every_second(3))

    assert found["events_per_second"] == [100.0, 100.0, 100.0]
    assert found["labels_per_second"] == [10.0, 30.0, 50.0]
    assert found["dead_letters_per_second"] == [1.0, 1.0, 1.0]


def test_the_first_rate_is_not_known_without_a_point_before() -> None:
    assert told([point(100.0, events=5), point(101.0, events=8)], every_second(2))["events_per_second"] == [None, 3.0]


def test_rates_do_not_depend_on_how_many_points_are_thinned_out() -> None:
    points = [point(100.0 + n, events=n * n) for n in range(60)]

    rates = told(points, Bins(100.0, 30.0, 2, 1.0))["events_per_second"]

    assert rates[1] == (59**2 - 29**2) / 30


def test_there_is_no_rate_across_a_gap_nor_where_the_task_began_anew() -> None:
    points = [point(at, events=events) for at, events in ((100.0, 10), (101.0, 20), (150.0, 30), (151.0, 4))]

    assert told(points, every_second(60))["events_per_second"] == [None, 10.0, None, None]


def test_a_report_that_comes_seconds_late_leaves_no_hole() -> None:
    late = [point(at, 0, events=round(10 * at)) for at in (100.0, 101.0, 108.0, 109.0)]
    steady = [point(100.0 + n, 1, events=5 * n) for n in range(10)]

    assert told(late, every_second(10))["events_per_second"] == [None, 10.0, 10.0, 10.0]
    assert told([*late, *steady], every_second(10))["events_per_second"] == [None, *[15.0] * 9]


def test_a_column_has_the_newest_level_the_worst_latency_and_the_largest_ratio() -> None:
    points = [
        point(100.0, pending=7, latency_p99_ms=90.0, drift=(1.5, None)),
        point(104.0, pending=3, latency_p99_ms=10.0, drift=(0.2, None)),
    ]
    bins = Bins(100.0, 10.0, 1, 1.0)

    found = told(points, bins)

    assert (found["pending"], found["latency_p99_ms"], found["at"]) == ([3], [90.0], [104.0])
    assert drift(points, bins) == [1.5]


def test_all_together_rates_and_lags_are_summed_and_the_worst_latency_counts() -> None:
    points = [
        point(at, partition, events=int(at) * (partition + 1), lag_events=10 + partition, latency_p99_ms=lasts)
        for at in (99.0, 100.0)
        for partition, lasts in ((0, 5.0), (1, 20.0))
    ]

    found = told(points, every_second(1))

    assert (found["events_per_second"], found["lag_events"], found["latency_p99_ms"]) == ([3.0], [21], [20.0])


def test_scores_of_partitions_are_weighted_by_the_labels_they_are_of() -> None:
    points = [
        point(100.0, 0, scores={"champion": 0.1}, labels=30),
        point(100.0, 1, scores={"champion": 0.3}, labels=10),
    ]

    assert scores(points, every_second(1)) == [pytest.approx(0.15)]


def test_a_partition_with_more_labels_than_a_score_looks_back_on_weighs_no_more() -> None:
    points = [
        point(100.0, 0, scores={"champion": 0.1}, labels=1_000_000),
        point(100.0, 1, scores={"champion": 0.3}, labels=WINDOW),
    ]

    assert scores(points, every_second(1)) == [pytest.approx(0.2)]


def test_the_loss_of_a_challenger_is_a_score_of_its_own_until_it_is_gone() -> None:
    points = [point(100.0, labels=5, rivals=((3, 0.25),)), point(101.0, labels=6)]

    assert scores(points, every_second(2), "challenger 3") == [0.25, None]


def test_a_partition_that_tells_nothing_is_taken_as_it_was_for_a_short_while() -> None:
    points = [point(100.0 + n, 0, pending=1) for n in range(20)] + [point(at, 1, pending=5) for at in (100.0, 101.0)]

    assert told(points, every_second(20))["pending"] == [6] * 17 + [1] * 3


def test_what_is_not_known_is_none_and_never_a_number() -> None:
    points = [point(100.0, lag_events=None, scores={"majority": 0.5}, labels=1)]

    assert told(points, every_second(1))["lag_events"] == [None]
    assert scores(points, every_second(1)) == [None]
    assert drift(points, every_second(1)) == [None]


def test_ratios_are_kept_to_a_hundredth_up_to_a_bound() -> None:
    points = [point(100.0, drift=(0.123, None)), point(101.0, drift=(1e9, None)), point(102.0, drift=(0.0, None))]

    assert drift(points, every_second(3)) == [0.12, LARGEST, 0.0]


def test_points_that_are_packed_in_different_ways_make_one_column() -> None:
    other = Layout((("champion", "brier"),), (("psi", "x"), ("ks", "x")))
    old = point(100.0, drift=(0.5, None))
    new = Point(
        **{name: getattr(old, name) for name in old.__struct_fields__}
        | {"at": 101.0, "layout": other.id, "drift": bytes((0, 81)), "scores": b"\0\0\0\0"}
    )
    part = Part([old, new], {**LAYOUTS, other.id: other}, every_second(2), "brier")

    assert columns.listed(columns.drift_of([part], 2)["ks", "x"], [0, 1]) == [0.5, 0.8]


def test_points_nobody_knows_how_to_unpack_still_tell_what_is_not_packed() -> None:
    part = Part([point(100.0, pending=4, drift=(0.5, None))], {}, every_second(1), "brier")

    assert (columns.values_of([part], 1)["pending"].tolist(), columns.drift_of([part], 1)) == ([4.0], {})


def test_there_is_a_column_only_where_there_is_a_point() -> None:
    assert told([point(100.0), point(105.0)], every_second(10))["at"] == [100.0, 105.0]
    assert told([], every_second(10))["at"] == []


def warnings(points: Sequence[Point], bins: Bins) -> list[tuple[str, int, float]]:
    return [(one.detector, one.partition, one.at) for one in columns.warnings_of(parts_of(points, bins))]


def test_a_warning_is_told_once_for_as_long_as_it_comes_and_goes() -> None:
    warned = {7: ("ddm",), 8: ("ddm", "stepd"), 10: ("ddm",), 14: ("ddm",), 25: ("ddm",)}
    points = [point(100.0 + n, warned=warned.get(n, ())) for n in range(30)]

    assert warnings(points, every_second(30)) == [("ddm", 0, 107.0), ("stepd", 0, 108.0), ("ddm", 0, 125.0)]


def test_of_all_partitions_together_a_warning_is_told_where_it_came_first() -> None:
    points = [point(100.0 + n, n % 2, warned=("ddm",) if n > 5 else ()) for n in range(12)]

    assert warnings(points, every_second(12)) == [("ddm", 0, 106.0)]


def test_a_warning_from_before_the_time_that_is_asked_for_is_no_news_of_it() -> None:
    points = [point(95.0 + n, warned=("ddm",)) for n in range(10)]

    assert warnings(points, every_second(5)) == []
