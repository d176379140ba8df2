"""What the web application is put together from, and what it asks of each part.

Routes get it by `Parted`: `def labels(parts: Parted, caller: Viewer) -> ...`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeAlias

import msgspec
from fastapi import Depends, Request

from stream.audit import Trail
from stream.config.model import Config
from stream.errors import InfrastructureError
from stream.history.answers import Column, Values
from stream.stores.registry import ModelStore
from stream.telemetry import Telemetry
from stream.web.status import Status


class History(Protocol):
    """What workers have told of themselves, read back. Safe to use from several threads.

    Answers are what docs/api.md says of the address of the same name, as anything that msgspec encodes. `partition`
    None: all of them together. Times are seconds since the epoch. All but `watch` raise StoreError.
    """

    def overview(self) -> Any: ...

    def series(self, partition: int | None, since: float | None, points: int) -> Any: ...

    def drift(self, partition: int | None, since: float | None, points: int) -> Any: ...

    def feature(self, name: str, partition: int | None) -> Any | None:
        """None for a name that nobody told of."""

    def labels(self) -> Any: ...

    def workers(self) -> Any: ...

    def partitions(self) -> list[int]:
        """Those that were told of."""

    def stream_time(self) -> float | None:
        """The time of the newest record that a worker has taken; None where none has told of one."""

    def watch(self, stop: threading.Event) -> Iterator[Column]:
        """New points as they come, of each partition and of all together, until `stop` is set (which is noticed within
        a second). Goes on by itself after the store was away. For one thread.
        """


class Mark(msgspec.Struct, frozen=True):
    """Something that happened, on the axis of time: `time` of the stream, `at` of the wall clock, where it is known."""

    time: float
    at: float | None
    kind: str
    alert: str | None
    text: str


class Usual(NamedTuple):
    """What a feature was like when all was well, and where that is from, in words."""

    values: Values
    source: str


News: TypeAlias = Literal["alert", "audit"]


class Feeds(Protocol):
    """What comes by the topics: alerts, dead letters, the audit trail, predictions. For several threads."""

    def start(self) -> None:
        """Begin to follow the topics."""

    def stop(self) -> None:
        """Let go of the broker, within a few seconds."""

    def marks(self, partition: int | None, since: float | None) -> list[Mark]:
        """What happened since a time, oldest first."""

    def open_alerts(self) -> int:
        """How many drifts were told and are not over."""

    def alerts_of(self, feature: str) -> list[str]:
        """Ids of the alerts that name a feature, newest first."""

    def usual(self, feature: str, partition: int | None) -> Usual | None:
        """What a feature was like when all was well, as its newest alert has it; None where none tells of it."""

    def look(self) -> None:
        """See how drifts stand by now, and tell those who listen of what is new. For one thread at a time."""

    def listen(self, take: Callable[[News, Any], None]) -> Callable[[], None]:
        """Have `take` told of each new or changed alert, and each new record of the audit, from a thread of the feeds;
        it returns at once. Returns what ends it.
        """


@dataclass(frozen=True)
class Parts:
    """`history` and `feeds` are None where there are none; the last two where no worker is in this process."""

    config: Config
    store: ModelStore
    trail: Trail
    history: History | None = None
    feeds: Feeds | None = None
    telemetry: Telemetry | None = None
    status: Callable[[], Status] | None = None

    @property
    def told(self) -> History:
        """The history. Raises InfrastructureError where none is kept."""
        if self.history is None:
            raise InfrastructureError(
                "No history is kept (history: null): what workers and detectors say is not known here, only the alerts "
                "that are still on their topic.",
                "Remove `history: null` from the configuration.",
            )
        return self.history


async def parts_of(request: Request) -> Parts:
    """The parts of the application that a request has come to. No thread of the pool is needed for it."""
    parts: Parts = request.app.state.parts
    return parts


Parted = Annotated[Parts, Depends(parts_of)]
