"""NYC flights of 2013: will this flight arrive 15 or more minutes late?

The event is emitted at the *scheduled* departure. At that instant nobody knows yet when the flight will really leave,
so its own departure delay is not a feature: with it the question would be nearly answered (most delay is made at the
gate), and the prediction would come too late to be of use. What is a feature was known to the airport at that instant:
the schedule, the aircraft, the last full hour's weather, and how the flights *before* this one are doing. The label
comes when the flight has landed. A cancelled or diverted flight has an event and never a label.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from stream.simulate.flights_board import Board
from stream.simulate.flights_data import MINUTE, Flight, FlightsData, Plane
from stream.simulate.source import Out, Pair, Source

LATE = 15.0
"""Minutes of arrival delay from which a flight counts as late, as the US Department of Transportation counts."""

_UNKNOWN_PLANE = Plane(None, None)
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Flights(Source):
    """All 336,776 flights, keyed by carrier and flight number; labels are true when the flight was late."""

    def __init__(self, data: FlightsData | None = None) -> None:
        self._data = data or FlightsData()

    def pairs(self) -> Iterator[Pair]:
        board = Board()
        for day in self._data.days():
            board.publish(day)
            for flight in day:
                yield self._pair(flight, board.known(flight))

    def _pair(self, flight: Flight, known: dict[str, Any]) -> Pair:
        key = f"{flight.carrier}{flight.number}".encode()
        event = Out("events", flight.scheduled, key, self._event(flight, known))
        if flight.landed is None or flight.arrival_delay is None:
            return Pair(event, None)
        value = {"id": flight.id, "label": flight.arrival_delay >= LATE, "ts": _iso(flight.landed)}
        return Pair(event, Out("labels", flight.landed, key, value))

    def _event(self, flight: Flight, known: dict[str, Any]) -> dict[str, Any]:
        plane = self._data.planes.get(flight.tailnum or "", _UNKNOWN_PLANE)
        return {
            "id": flight.id,
            "ts": _iso(flight.scheduled),
            "flight": {
                "carrier": flight.carrier,
                "number": flight.number,
                "origin": flight.origin,
                "dest": flight.dest,
                "weekday": _WEEKDAYS[flight.day.weekday()],
                "hour": flight.minute // 60,
                "minute_of_day": flight.minute,
                "distance": flight.distance,
                "minutes": (flight.due - flight.scheduled) / MINUTE,
            },
            "plane": {
                "tailnum": flight.tailnum,
                "age": None if plane.built is None else flight.day.year - plane.built,
                "seats": plane.seats,
            },
            "weather": self._data.weather.known_at(flight.origin, flight.scheduled),
            "known": known,
        }


def _iso(instant: float) -> str:
    """ISO 8601 of an instant on a full minute, as all instants of a timetable are."""
    day, minute = divmod(int(instant // MINUTE), 24 * 60)
    return f"{_date(day)}T{minute // 60:02}:{minute % 60:02}:00Z"


@lru_cache(maxsize=8)
def _date(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
