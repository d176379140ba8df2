"""The departures board: what an airport knows, at one instant, of flights other than the one about to leave.

This is where a leak could creep in, so all of it rests on one rule: what happened is reported to the board by the
happening itself, in order of time, and a question at an instant first lets in what lies strictly before that instant.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

from stream.simulate.flights_data import HOUR, MINUTE, Flight

_GATE = HOUR
_RECENT = 3 * HOUR
_ROTATION = 24 * HOUR


class _Landing(NamedTuple):
    landed: float
    id: str
    flight: Flight


class _Landings:
    """Mean arrival delay of the flights of one group that landed in the last three hours, kept as a running sum."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    def add(self, landed: float, delay: float) -> None:
        self._recent.append((landed, delay))
        self._sum += delay

    def mean(self, now: float) -> float | None:
        while self._recent and self._recent[0][0] < now - _RECENT:
            self._sum -= self._recent.popleft()[1]
        return round(self._sum / len(self._recent), 2) if self._recent else None


class Board:
    """Flights are published a day ahead, as schedules are; what becomes of them shows only once it has happened."""

    def __init__(self) -> None:
        self._scheduled: dict[str, list[float]] = {}
        self._due_out: defaultdict[str, deque[Flight]] = defaultdict(deque)
        self._in_the_air: list[_Landing] = []
        self._by_carrier: defaultdict[str, _Landings] = defaultdict(_Landings)
        self._by_dest: defaultdict[str, _Landings] = defaultdict(_Landings)
        self._last_landing: dict[str, tuple[float, float]] = {}

    def publish(self, day: Sequence[Flight]) -> None:
        """Put up the schedule of a day: flights in order of (scheduled, id)."""
        self._scheduled = {}
        for flight in day:
            self._scheduled.setdefault(flight.origin, []).append(flight.scheduled)

    def known(self, flight: Flight) -> dict[str, float | int | None]:
        """What is known at the flight's scheduled departure. Ask in the order of the schedule.

        departures: flights scheduled to leave this origin from an hour before to an hour after it.
        late_out, waiting: of the flights due to leave this origin in the hour before, the mean minutes by which
        they left late or are late by now, and the share that is still standing there.
        late_carrier, late_dest: mean arrival delay, minutes, of the flights of this carrier, and of those to this
        destination, that landed in the last three hours.
        late_plane: arrival delay of this aircraft's last landing in the last day, minutes.
        """
        now = flight.scheduled
        self._let_in(now)
        late_out, waiting = self._departures(flight.origin, now)
        last = self._last_landing.get(flight.tailnum or "")
        times = self._scheduled[flight.origin]
        known = {
            "departures": bisect_right(times, now + HOUR) - bisect_left(times, now - HOUR),
            "late_out": late_out,
            "waiting": waiting,
            "late_carrier": self._by_carrier[flight.carrier].mean(now),
            "late_dest": self._by_dest[flight.dest].mean(now),
            "late_plane": last[1] if last is not None and last[0] >= now - _ROTATION else None,
        }
        self._due_out[flight.origin].append(flight)
        if flight.landed is not None:
            heapq.heappush(self._in_the_air, _Landing(flight.landed, flight.id, flight))
        return known

    def _let_in(self, now: float) -> None:
        while self._in_the_air and self._in_the_air[0].landed < now:
            landed, _, flight = heapq.heappop(self._in_the_air)
            delay = flight.arrival_delay or 0.0
            self._by_carrier[flight.carrier].add(landed, delay)
            self._by_dest[flight.dest].add(landed, delay)
            if flight.tailnum is not None:
                self._last_landing[flight.tailnum] = (landed, delay)

    def _departures(self, origin: str, now: float) -> tuple[float | None, float | None]:
        due_out = self._due_out[origin]
        while due_out and due_out[0].scheduled < now - _GATE:
            due_out.popleft()
        late = standing = n = 0.0
        for earlier in due_out:
            if earlier.scheduled >= now:
                break
            n += 1
            gone = earlier.departed is not None and earlier.departed < now
            standing += not gone
            left = earlier.departed if gone and earlier.departed is not None else now
            late += left - earlier.scheduled
        if not n:
            return None, None
        return round(late / n / MINUTE, 2), round(standing / n, 4)
