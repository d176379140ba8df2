"""The three series that are kept of a partition: every point for a while, fewer for longer.

A point of a coarser series stands for a stretch of time, which begins at a multiple of its length on the clock. It is
the last one of that stretch, with the worst latencies, the largest ratios and the warnings of all of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import structs

from stream.history.frames import Point


class Tier(NamedTuple):
    """A series: its name in keys, and of how many points it keeps one."""

    name: str
    every: int


TIERS: Final = (Tier("fine", 1), Tier("middle", 30), Tier("coarse", 600))
"""From the finest to the coarsest."""


class Thinning:
    """Makes the points of the coarser series out of those of the finest, of any number of partitions."""

    def __init__(self, interval: float) -> None:
        """`interval` is the time between two points of the finest series, in seconds."""
        self._lengths = [(tier, tier.every * interval) for tier in TIERS[1:]]
        self._open: dict[tuple[int, Tier], Point] = {}

    def add(self, point: Point) -> list[tuple[Tier, Point]]:
        """The points to be kept now that this one has come: itself, and those whose stretch is over with it."""
        kept, newest = [(TIERS[0], point)], point
        for tier, length in self._lengths:
            where = point.partition, tier
            before = self._open.get(where)
            if before is None or before.at // length == newest.at // length:
                self._open[where] = newest if before is None else worst(before, newest)
                break
            self._open[where] = newest
            kept.append((tier, before))
            newest = before
        return kept

    def end(self, partition: int | None = None) -> list[tuple[Tier, Point]]:
        """No more points come of a partition, or of any: those of the stretches that are not over."""
        kept: list[tuple[Tier, Point]] = []
        for one in {where for where, _ in self._open if partition in (None, where)}:
            newest: Point | None = None
            for tier, _ in self._lengths:
                before = self._open.pop((one, tier), None)
                points = [point for point in (before, newest) if point is not None]
                if points:
                    newest = worst(points[0], points[-1])
                    kept.append((tier, newest))
        return kept


def worst(before: Point, after: Point) -> Point:
    """The later of two points, with the worst latencies, the largest ratios and the warnings of both."""
    drift = after.drift
    if before.layout == after.layout:
        drift = bytes(map(max, before.drift, after.drift))
    return structs.replace(
        after,
        drift=drift,
        latency_p50_ms=_larger(before.latency_p50_ms, after.latency_p50_ms),
        latency_p99_ms=_larger(before.latency_p99_ms, after.latency_p99_ms),
        warned=tuple(dict.fromkeys((*before.warned, *after.warned))),
    )


def _larger(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)
