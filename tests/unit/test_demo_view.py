"""The demo's picture of a run, and what is drawn and told of it: on any terminal, from any state."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from stream.demo import summary
from stream.demo.metrics import Metrics, parse
from stream.demo.picture import Picture, Stretch
from stream.demo.place import Where
from stream.demo.plain import Lines, line
from stream.demo.view import View
from stream.records import Alert, Contributor
from stream.telemetry import Telemetry
from tests import alerts
from tests.clock import Clock

DAY = 86400.0
NEW_YEAR = 1_357_016_400.0
"""2013-01-01, midnight in New York."""

WHERE = Where(
    kafka="127.0.0.1:20001",
    redis="redis://127.0.0.1:20002/0",
    page_url="http://127.0.0.1:20003/",
    env=Path("/somewhere/env"),
    log=Path("/somewhere/service.log"),
    model="arrival-delay",
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def picture(clock: Clock) -> Picture:
    return Picture(Stretch(NEW_YEAR, NEW_YEAR + 365 * DAY), clock)


def alert(n: int, kind: str = "data_drift", *, day: float = 1.0, partition: int = 0, **known: Any) -> Alert:
    fields: dict[str, Any] = {"feature": "temp", "detector": "ks", "direction": "up", "before": 36.1, "after": 44.0}
    if kind in ("model_swap", "rollback"):
        fields = {"detail": f"version {n} to {n + 1}: beat_champion", "action": "swapped"}
    return alerts.alert(
        id=f"{kind}-{n}-{partition}",
        ts=NEW_YEAR + day * DAY,
        kind=kind,
        model="arrival-delay",
        model_version=n,
        partition=partition,
        offset=n,
        **(fields | known),
    )


def scores(champion: float, majority: float) -> dict[str, dict[str, float]]:
    return {
        "champion": {"log_loss": champion, "roc_auc": 0.75, "accuracy": 0.8, "f1": 0.3, "mean_loss": 0.14},
        "majority": {"log_loss": majority, "roc_auc": 0.5, "accuracy": 0.78, "f1": 0.0, "mean_loss": 0.17},
    }


def played(picture: Picture, clock: Clock, *, events: int = 100, dead: int = 0) -> None:
    """`events` events within the first half of the year, one in ten without a label, scored once a month."""
    for n in range(events):
        ts = NEW_YEAR + n * 180 * DAY / events
        if n >= dead:
            picture.predicted(ts, 1, n % 2)
        if n % 10:
            picture.labelled(ts, late=n % 4 == 0)
        if n % 16 == 15:
            clock.now += 1.0
            labels = n - n // 10
            records = {("events", "predicted"): n + 1 - dead, ("events", "dead_lettered"): dead}
            picture.looked(
                Metrics(
                    records=records | {("labels", "joined"): labels},
                    lag={"events": 3, "labels": 4},
                    pending=5,
                    version=1,
                    recipe="logistic",
                    scores=scores(0.5 - n / 1000, 0.6),
                ),
                events,
                events - events // 10,
            )


def drawn(picture: Picture, width: int, height: int) -> list[str]:
    """The screen as a terminal of this size would show it."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as shown:
        console.print(View(picture, WHERE), height=height, end="")
    return shown.get().splitlines()


def told(picture: Picture) -> str:
    console = Console(file=io.StringIO(), width=120, color_system=None)
    with console.capture() as shown:
        summary.show(picture, console)
    return shown.get()


# the picture


def test_metrics_are_read_as_prometheus_reads_them() -> None:
    telemetry = Telemetry("arrival-delay")
    telemetry.add_records("events", "predicted", 90)
    telemetry.add_records("events", "dead_lettered", 10)
    telemetry.add_records("labels", "joined", 70)
    for partition in (0, 1):
        telemetry.set_waiting(partition, pending=partition + 1, held=2)
        telemetry.set_lag("events", partition, 5)
        telemetry.set_scores(partition, {"champion": {"log_loss": 0.4 + partition / 10}})
    telemetry.set_model(3, "abc", "logistic", 1234)
    body, _ = telemetry.render("text/plain")

    metrics = parse(body.decode())

    assert (metrics.ended("events"), metrics.ended("labels")) == (100, 70 + 4)
    assert (metrics.pending, metrics.held, metrics.lag) == (3, 4, {"events": 10})
    assert (metrics.version, metrics.recipe, metrics.model_bytes) == (3, "logistic", 1234)
    assert metrics.scores == {"champion": {"log_loss": pytest.approx(0.45)}}


def test_latency_is_that_of_the_predictions_made_since_the_look_before() -> None:
    slow = Metrics(latency={0.001: 0, 1.0: 100, float("inf"): 100})
    then_quick = Metrics(latency={0.001: 50, 1.0: 150, float("inf"): 150})

    assert slow.within(0.99, Metrics()) == 1.0
    assert then_quick.within(0.99, slow) == 0.001
    assert slow.within(0.99, slow) is None


def test_rates_are_those_of_the_last_seconds(picture: Picture, clock: Clock) -> None:
    for second in range(20):
        clock.now += 1.0
        picture.looked(Metrics(), 0 if second < 10 else (second - 10) * 500, second * 10)

    assert (picture.rates.events, picture.rates.labels) == (500.0, 10.0)


def test_the_same_alert_published_twice_is_counted_once(picture: Picture) -> None:
    picture.alerted(alert(1))
    picture.alerted(alert(1))

    assert (len(picture.alerts), picture.kinds) == (1, {"data_drift": 1})


def test_that_a_drift_is_over_is_shown_and_not_counted(picture: Picture) -> None:
    picture.alerted(alert(1))
    picture.alerted(alert(2, state="recovered", since=NEW_YEAR, duration=2 * DAY, day=2))

    screen = "\n".join(drawn(picture, 120, 40))

    assert "temp (ks)               recovered after 2 days  up 36.1 -> 44" in screen
    assert picture.kinds == {"data_drift": 1}
    assert picture.months["2013-01"].features == {"temp": 1}


def test_an_alert_tells_what_else_takes_part_where_there_is_room(picture: Picture) -> None:
    picture.alerted(alert(1, contributors=(Contributor("ks", "temp"), Contributor("ks", "humid", over=1.25))))

    assert any("36.1 -> 44  with humid x1.2" in row for row in drawn(picture, 120, 40))
    assert not any("humid" in row for row in drawn(picture, 50, 40))


def test_a_swap_is_one_swap_however_many_partitions_tell_of_it(picture: Picture) -> None:
    picture.alerted(alert(1, "model_swap", partition=0))
    picture.alerted(alert(1, "model_swap", partition=1))
    picture.alerted(alert(2, "model_swap", partition=1))

    assert [swap.detail for swap in picture.swaps] == ["version 1 to 2: beat_champion", "version 2 to 3: beat_champion"]


def test_a_partition_that_swaps_back_and_forth_tells_of_each_swap(picture: Picture) -> None:
    for n in (1, 2, 3):
        picture.alerted(alert(n, "model_swap", detail="version 1 to 2: promoted"))

    assert len(picture.swaps) == 3


def test_progress_is_that_of_the_date_unless_the_flights_are_counted(clock: Clock) -> None:
    year, some = (Picture(Stretch(NEW_YEAR, NEW_YEAR + 100 * DAY, events), clock) for events in (None, 4))
    for seen in (year, some):
        seen.predicted(NEW_YEAR + 50 * DAY, 1, 0)

    assert (year.progress, some.progress) == (0.5, 0.25)


def test_a_run_is_complete_only_when_every_record_is_accounted_for_and_read(picture: Picture) -> None:
    metrics = Metrics(records={("events", "predicted"): 2, ("labels", "joined"): 1}, held=1)
    complete = []

    picture.looked(metrics, 2, 2)
    complete.append(picture.complete)
    for _ in range(2):
        picture.predicted(NEW_YEAR, 1, 0)
    complete.append(picture.complete)
    picture.looked(metrics, 3, 2)
    complete.append(picture.complete)

    assert complete == [False, True, False]


def test_an_instant_before_midnight_in_new_york_belongs_to_the_month_that_ends(picture: Picture) -> None:
    picture.predicted(NEW_YEAR + 31 * DAY - 60, 1, 0)
    picture.predicted(NEW_YEAR + 31 * DAY, 1, 0)
    picture.labelled(NEW_YEAR + 366 * DAY, late=True)

    assert {name: (m.flights, m.labels) for name, m in picture.months.items()} == {
        "2013-01": (1, 0),
        "2013-02": (1, 0),
        "2013-12": (0, 1),
    }


def test_scores_of_a_month_are_weighted_by_the_labels_they_came_with(picture: Picture) -> None:
    picture.predicted(NEW_YEAR, 1, 0)
    picture.looked(Metrics(records={("labels", "joined"): 100}, scores=scores(0.6, 0.7)), 0, 0)
    picture.looked(Metrics(records={("labels", "joined"): 400}, scores=scores(0.4, 0.7)), 0, 0)

    assert picture.months["2013-01"].score("champion", "log_loss") == pytest.approx(0.45)
    assert picture.average("majority", "log_loss") == pytest.approx(0.7)


# the live view

SIZES = [(80, 24), (120, 40), (200, 60), (60, 24), (40, 12), (24, 8), (80, 5), (10, 3)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_screen_fits_any_terminal_in_any_state(picture: Picture, clock: Clock, width: int, height: int) -> None:
    empty = drawn(picture, width, height)
    played(picture, clock)
    for n in range(120):
        picture.alerted(alert(n, ("data_drift", "concept_drift", "model_swap", "rollback")[n % 4]))
    full = drawn(picture, width, height)

    for screen in (empty, full):
        assert 1 <= len(screen) <= height
        assert max(map(len, screen)) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_a_usual_terminal_shows_all_there_is_to_see(picture: Picture, clock: Clock, width: int, height: int) -> None:
    played(picture, clock)
    picture.alerted(alert(1, day=170))
    picture.alerted(alert(1, "model_swap", day=171))

    screen = drawn(picture, width, height)

    text = "\n".join(screen)
    for wanted in ("Fri 28 Jun 2013", "predictions", "dead letters", "log loss", "majority", "version 1 to 2"):
        assert wanted in text
    for address in (WHERE.kafka, WHERE.redis, WHERE.page_url, str(WHERE.env), str(WHERE.log)):
        assert address in text
    assert any("temp (ks)" in row and "up 36.1 -> 44" in row for row in screen)
    assert len(screen) == height or height > 24


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_alerts_say_as_much_as_has_room_and_none_is_cut(picture: Picture, width: int) -> None:
    evidence: Any = {
        "before": 0.12345,
        "after": 0.23456,
        "statistic": 1234.5678,
        "threshold": 1023.4567,
        "p_value": 3e-12,
    }
    concept: Any = {"feature": None, "detector": "page_hinkley", "direction": "worse", "action": "challenger_learning"}
    picture.alerted(alert(1, feature="minute_of_day", direction="narrower", **evidence))
    picture.alerted(alert(2, feature="carrier", detector="chi_squared", detail="(other)", **evidence))
    picture.alerted(alert(3, "concept_drift", **concept, **evidence))
    picture.alerted(alert(12, "model_swap"))

    screen = drawn(picture, width, 40)
    head = next(n for n, row in enumerate(screen) if row.startswith("─ alerts"))
    rows = screen[head + 1 : head + 5]

    assert not [row for row in rows if "…" in row]
    assert all("0.1235 -> 0.2346" in row for row in rows[1:])
    assert "version 12 to 13: beat champion" in rows[0]
    if width >= 100:
        assert "challenger learning" in rows[1]
    if width == 160:
        assert all("statistic 1235 over 1023, p 3e-12" in row and "partition 0" in row for row in rows[1:])


def test_a_champion_that_loses_to_a_baseline_is_shown_so(picture: Picture, clock: Clock) -> None:
    played(picture, clock)
    won = {str(part.style) for row in View(picture, WHERE).lines(80, 24) for part in row.spans}
    picture.looked(Metrics(scores=scores(0.9, 0.6)), 100, 90)
    lost = {str(part.style) for row in View(picture, WHERE).lines(80, 24) for part in row.spans}

    assert "bold red" not in won
    assert "bold red" in lost


def test_a_small_terminal_keeps_the_alerts(picture: Picture, clock: Clock) -> None:
    played(picture, clock)
    picture.alerted(alert(1))

    screen = "\n".join(drawn(picture, 60, 8))

    assert "temp (ks)" in screen
    assert "in another terminal" not in screen


# plain lines


def test_plain_lines_come_every_few_seconds_and_for_each_swap(picture: Picture, clock: Clock) -> None:
    console = Console(file=io.StringIO(), width=200, color_system=None, soft_wrap=True)
    lines = Lines(picture, console, clock)
    with console.capture() as shown:
        lines.show()
        clock.now += 5.0
        lines.show()
        picture.predicted(NEW_YEAR + DAY, 1, 0)
        picture.alerted(alert(1))
        picture.alerted(alert(1, "model_swap"))
        lines.show()
        clock.now += 5.0
        lines.show()

    first, swap, last = shown.get().splitlines()
    assert first == "waiting for the first prediction"
    assert "version 1 to 2: beat champion" in swap
    assert last.strip() == line(picture).strip()
    assert "1 predictions" in last


def test_a_rate_is_told_while_something_waits_and_not_once_all_is_predicted(picture: Picture, clock: Clock) -> None:
    picture.predicted(NEW_YEAR + DAY, 1, 0)
    told = []
    for taken in (1, 2):
        for _ in range(2):
            clock.now += 10.0
            picture.looked(Metrics(records={("events", "predicted"): taken}), 2, 0)
        told.append(line(picture))

    stalled, done = told
    assert "1 predictions, 0/s  " in stalled
    assert "1 predictions  " in done


# the summary


def test_the_accounts_of_the_summary_add_up(picture: Picture, clock: Clock) -> None:
    played(picture, clock, events=112, dead=12)

    text = told(picture)

    assert "events            112 = 100 predicted + 12 dead lettered" in text
    assert "unaccounted" not in text.split("labels  ")[0]


def test_what_is_not_taken_yet_is_part_of_the_account(picture: Picture) -> None:
    picture.looked(Metrics(records={("events", "predicted"): 60}), 100, 0)

    assert "events            100 = 60 predicted + 40 not taken yet" in told(picture)


def test_an_account_that_does_not_add_up_says_so(picture: Picture) -> None:
    picture.looked(Metrics(records={("events", "predicted"): 60, ("labels", "joined"): 50}, pending=5), 60, 50)

    assert "predictions        60 = 50 joined + 5 still waiting  (+5 unaccounted for)" in told(picture)


def test_the_summary_tells_what_was_found_in_which_month(picture: Picture, clock: Clock) -> None:
    played(picture, clock)
    picture.alerted(alert(1, day=40))
    picture.alerted(alert(2, day=41, feature="humid"))
    picture.alerted(alert(3, "concept_drift", day=41, feature=None))
    picture.alerted(alert(1, "model_swap", day=45))

    text = told(picture)

    (february,) = (row for row in text.splitlines() if row.startswith("Feb"))
    assert february.split()[-5:] == ["1", "1", "2", "temp,", "humid"]
    assert "Alerts by feature  temp 1, humid 1" in text
    assert "2013-02-15 05:00  version 1 to 2: beat champion" in text


def test_a_run_that_was_cut_short_before_its_first_event_has_a_summary(picture: Picture) -> None:
    text = told(picture)

    assert "0 flights" in text
    assert "served throughout" not in text
