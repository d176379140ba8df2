"""Which snapshots are archived, and the names that tell them apart."""

from __future__ import annotations

import pytest

from stream.config.runtime import ArchiveConfig
from stream.stores.archive import Archived, Point, archive_of, next_in

HOUR = 3_600_000
NOON = 1_700_000_000_000
HOURLY = ArchiveConfig(every=3600.0, keep=3)


def taken(at: int) -> Point:
    return Point(7, 150, at)


@pytest.mark.parametrize(
    ("at", "number"),
    [
        pytest.param(NOON + HOUR - 1, None, id="too early"),
        pytest.param(NOON + HOUR, 5, id="in time"),
        pytest.param(NOON - 1, None, id="by a clock that is a little behind"),
        pytest.param(NOON - HOUR, 5, id="by a clock that was put back"),
    ],
)
def test_a_snapshot_is_archived_when_enough_time_has_passed_since_the_one_before(at: int, number: int | None) -> None:
    archive = [Archived(3, taken(NOON + 9 * HOUR)), Archived(4, taken(NOON))]
    new = next_in(archive, taken(at), HOURLY)
    assert new == (None if number is None else Archived(number, taken(at)))


def test_the_first_snapshot_is_archived() -> None:
    assert next_in([], taken(NOON), HOURLY) == Archived(1, taken(NOON))


def test_none_is_archived_where_none_is_to_be_kept() -> None:
    assert next_in([], taken(NOON), ArchiveConfig(keep=0)) is None


def test_names_tell_all_and_their_numbers_the_order() -> None:
    archive = [Archived(number, Point(10 * number, 500, NOON - number)) for number in (9, 10, 11)]
    names = [archived.name for archived in archive]
    assert names[0] == "9.90.500.1699999999991"
    assert archive_of(reversed(names)) == archive


@pytest.mark.parametrize("name", ["", "1.2.3", "1.2.3.4.5", "1.2.3.x", "1.2.3.-4", "1.2.3.4\n", "1.2.3." + "4" * 5000])
def test_names_of_something_else_are_left_out(name: str) -> None:
    assert archive_of([name]) == []
