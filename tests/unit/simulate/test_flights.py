"""The flights source on the first days of 2013: what it tells, when, and that it never tells what nobody knew yet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest

from stream.simulate.flights import Flights
from stream.simulate.flights_board import Board
from stream.simulate.flights_data import HOUR, Flight, FlightsData, Weather
from stream.simulate.source import Out, SourceError

DAYS = 2


class Edited(FlightsData):
    """The same planes and weather with other flights."""

    def __init__(self, original: FlightsData, days: list[list[Flight]]) -> None:
        self.weather = original.weather
        self.planes = original.planes
        self._days = days

    def days(self) -> Iterator[list[Flight]]:
        return iter(self._days)


@pytest.fixture(scope="module")
def data() -> FlightsData:
    return FlightsData()


@pytest.fixture(scope="module")
def days(data: FlightsData) -> list[list[Flight]]:
    return list(islice(data.days(), DAYS))


@pytest.fixture(scope="module")
def records(data: FlightsData, days: list[list[Flight]]) -> list[Out]:
    return list(Flights(Edited(data, days)))


def weather(hour: str, temp: str) -> dict[str, str]:
    rest = dict.fromkeys(("dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"), "NA")
    return {"origin": "JFK", "time_hour": f"2013-01-01T{hour}:00:00Z", "temp": temp, **rest}


def otherwise(flight: Flight, instant: float, rng: Random) -> Flight:
    """The flight in a world that went otherwise from `instant` on: what lies before it and the timetable are kept."""
    if flight.departed is None or flight.departed >= instant:
        flight = flight._replace(departed=rng.choice((None, instant + rng.randrange(600) * 60)))
    if flight.landed is None or flight.landed >= instant:
        landed = rng.choice((None, instant + rng.randrange(600) * 60))
        delay = None if landed is None else float(rng.randrange(-60, 600))
        flight = flight._replace(landed=landed, arrival_delay=delay)
    return flight


@pytest.mark.parametrize("seed", range(6))
def test_an_event_tells_nothing_of_what_happens_from_its_instant_on(
    data: FlightsData, days: list[list[Flight]], records: list[Out], seed: int
) -> None:
    rng = Random(seed)
    probe = rng.choice([out for out in records if out.topic == "events" and out.timestamp >= days[1][0].scheduled])
    elsewhere = [[otherwise(flight, probe.timestamp, rng) for flight in day] for day in days]

    events = {out.value["id"]: out.value for out in Flights(Edited(data, elsewhere)) if out.topic == "events"}

    assert events[probe.value["id"]] == probe.value
    after = [out.value for out in records if out.topic == "events" and out.timestamp > probe.timestamp + 3 * HOUR]
    assert any(events[value["id"]] != value for value in after), "the altered world is the same: nothing was tested"


def test_the_flight_itself_is_not_among_those_it_is_told_of(days: list[list[Flight]]) -> None:
    early = days[0][0]._replace(departed=days[0][0].scheduled - 600)
    board = Board()
    board.publish([early])

    known = board.known(early)

    assert known["late_out"] is None
    assert known["departures"] == 1


def test_a_flight_that_should_have_left_counts_as_late_by_now(days: list[list[Flight]]) -> None:
    first = days[0][0]
    cancelled = first._replace(departed=None)
    later = first._replace(id="later", scheduled=first.scheduled + 1800)
    board = Board()
    board.publish([cancelled, later])
    board.known(cancelled)

    known = board.known(later)

    assert known["late_out"] == 30
    assert known["waiting"] == 1


def test_a_landing_is_known_after_it_happened_and_not_at_that_instant(days: list[list[Flight]]) -> None:
    start = days[0][0].scheduled
    first = days[0][0]._replace(scheduled=start, landed=start + 3600, arrival_delay=20.0)
    at_once = first._replace(id="at once", scheduled=start + 3600, landed=None)
    after = first._replace(id="after", scheduled=start + 3601, landed=None)
    board = Board()
    board.publish([first, at_once, after])
    board.known(first)

    assert board.known(at_once)["late_plane"] is None
    assert board.known(after)["late_plane"] == 20


def test_an_hours_weather_is_known_when_the_hour_is_over() -> None:
    observed = Weather(iter([weather("10", "39"), weather("11", "41")]))
    eleven = 1357038000.0  # 2013-01-01T11:00:00Z

    assert observed.known_at("JFK", eleven - 1) == {}
    assert observed.known_at("JFK", eleven)["temp"] == 39
    assert observed.known_at("JFK", eleven + HOUR - 1)["temp"] == 39
    assert observed.known_at("JFK", eleven + HOUR)["temp"] == 41


def test_weather_older_than_six_hours_is_not_told() -> None:
    observed = Weather(iter([weather("10", "39")]))
    eleven = 1357038000.0

    assert observed.known_at("JFK", eleven + 6 * HOUR)["temp"] == 39
    assert observed.known_at("JFK", eleven + 6 * HOUR + 1) == {}


def test_the_first_flight_is_told_as_the_airport_had_it(records: list[Out]) -> None:
    # UA 1545 to Houston, 5:15 in New York: due at 8:19 by a clock one hour behind; landed 11 minutes late.
    event = next(out for out in records if out.value["id"] == "2013-01-01-UA-1545-EWR")
    label = next(out for out in records if out.topic == "labels" and out.value["id"] == "2013-01-01-UA-1545-EWR")

    assert event.value["ts"] == "2013-01-01T10:15:00Z"
    assert event.value["flight"] == {
        "carrier": "UA",
        "number": 1545,
        "origin": "EWR",
        "dest": "IAH",
        "weekday": "Tue",
        "hour": 5,
        "minute_of_day": 315,
        "distance": 1400,
        "minutes": 244,
    }
    assert event.value["plane"] == {"tailnum": "N14228", "age": 14, "seats": 149}
    assert label.value == {"id": "2013-01-01-UA-1545-EWR", "label": False, "ts": "2013-01-01T14:30:00Z"}


def test_no_event_carries_its_own_delay(records: list[Out]) -> None:
    event = next(out for out in records if out.topic == "events")

    assert not {"dep_delay", "arr_delay", "departed", "landed", "air_time"} & {
        name for part in event.value.values() if isinstance(part, dict) for name in part
    }


def test_a_label_comes_when_the_flight_has_landed(days: list[list[Flight]], records: list[Out]) -> None:
    landed = {flight.id: flight.landed for day in days for flight in day}

    assert all(out.timestamp == landed[out.value["id"]] for out in records if out.topic == "labels")


def test_15_minutes_are_late_and_14_are_not(data: FlightsData, days: list[list[Flight]]) -> None:
    just = days[0][0]._replace(arrival_delay=15.0)
    not_quite = days[0][0]._replace(id="not quite", arrival_delay=14.0)

    labels = [out.value["label"] for out in Flights(Edited(data, [[just, not_quite]])) if out.topic == "labels"]

    assert labels == [True, False]


def test_cancelled_and_diverted_flights_have_an_event_and_no_label(
    days: list[list[Flight]], records: list[Out]
) -> None:
    unlabelled = {flight.id for day in days for flight in day if flight.landed is None}

    assert unlabelled
    assert unlabelled <= {out.value["id"] for out in records if out.topic == "events"}
    assert not unlabelled & {out.value["id"] for out in records if out.topic == "labels"}


def test_the_same_data_give_the_same_records(data: FlightsData, days: list[list[Flight]], records: list[Out]) -> None:
    assert list(Flights(Edited(data, days))) == records


def test_a_damaged_installation_is_told_with_its_cure(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(SourceError, match=r"has no flights\.csv\.zip(.|\n)*pip install"):
        FlightsData(tmp_path_factory.mktemp("empty"))
