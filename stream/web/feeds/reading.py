"""What feeds do with the records that a tail hands over: read them, and tell those who listen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

from stream.records import RawRecord

T = TypeVar("T")


def readable(records: Iterable[RawRecord], decode: Callable[[bytes], T]) -> Iterator[tuple[RawRecord, T]]:
    """Each record with what it says. Those that `decode` cannot read were written by others, and are left out."""
    for record in records:
        try:
            said = decode(record.value or b"")
        except msgspec.MsgspecError:
            continue
        yield record, said


class Listeners(Generic[T]):
    """Those who want to hear what is new. They come and go in any thread, also while others are told."""

    def __init__(self) -> None:
        self._all: list[Callable[[T], None]] = []

    def add(self, take: Callable[[T], None]) -> Callable[[], None]:
        """Have `take` told from now on. Returns what ends it."""
        self._all.append(take)
        return lambda: self._all.remove(take)

    def tell(self, news: T) -> None:
        """Tell all of them."""
        for take in list(self._all):
            take(news)
