"""What workers tell of themselves in Redis, for the page and the API."""

from __future__ import annotations

from pydantic import Field

from stream.config.fields import Duration, Section


class HistoryConfig(Section):
    """What workers tell of themselves in Redis: how each partition does, and did (docs/history.md). Of each partition
    three series of `points` are kept: one of every point, one of every 30th, one of every 600th. By default they reach
    back a quarter of an hour, eight hours and a week.
    """

    interval: Duration = Field(
        1.0, ge=1, le=3600, description="time between two points; longer where many partitions and features take long"
    )
    points: int = Field(1000, ge=60, le=100_000, description="points kept of each partition in each of the series")
