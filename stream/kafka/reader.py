"""Reading whole topics as an outside subscriber does: every partition, no consumer group, nothing committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from stream.config.kafka import KafkaConfig
from stream.kafka.client import FETCH_WAIT_MS, Bounds, NoTopicError, Partition, Truncated, make_log_reader
from stream.records import RawRecord

__all__ = ["NoTopicError", "Reader", "Start"]

Start: TypeAlias = Literal["beginning", "end"] | int | Mapping[Partition, int]
"""Where reading begins; a number is that many of the newest records of each partition. Offsets are where another reader
was, see `Reader.next`: what is no longer kept is left out, and a partition that was not there then is read whole.
"""

_ANSWER_SECONDS = 10.0


class Reader:
    """Reads committed records of some topics, from `start` on. `found` are the ends of the partitions as it began,
    `next` the offsets after the newest that `poll` has given. `fetch_wait_ms` is as for `make_log_reader`.

    Raises BrokerError when no broker answers, NoTopicError when a topic is not there.
    """

    def __init__(
        self,
        config: KafkaConfig,
        topics: Sequence[str],
        start: Start = "beginning",
        fetch_wait_ms: int = FETCH_WAIT_MS,
    ) -> None:
        self._log = make_log_reader(config, fetch_wait_ms)
        try:
            self._partitions = [tp for topic in topics for tp in self._partitions_of(topic)]
            held = {tp: self._log.bounds(*tp) for tp in self._partitions}
            self.found = {tp: end for tp, (_, end) in held.items()}
            self.next = {tp: self._offset(start, tp, held[tp]) for tp in self._partitions}
            self._log.start(self.next)
        except BaseException:
            self.close()
            raise

    def poll(self, timeout: float) -> list[RawRecord]:
        """Records that have come, those of one partition in their order, waiting at most `timeout` seconds for the
        first. None come while the broker is away. Raises BrokerError.
        """
        try:
            batches = self._log.poll(timeout)
        except Truncated as error:  # a log that is cut off faster than it is read: on with what is left of it
            self._log.move(error.topic, error.partition, error.first)
            return []
        self.next |= {tp: batch[-1].offset + 1 for tp, batch in batches.items() if batch}
        return [record for batch in batches.values() for record in batch]

    def size(self, topic: str, timeout: float = _ANSWER_SECONDS) -> int:
        """Records that a topic holds now, by its offsets; it need not be one of those that are read.

        Raises NoTopicError, and BrokerError when there is no answer in time.
        """
        held = (self._log.bounds(*tp, timeout) for tp in self._partitions_of(topic))
        return sum(end - first for first, end in held)

    def ends(self, timeout: float = _ANSWER_SECONDS) -> dict[Partition, int]:
        """The offset after the last record of each (topic, partition). Raises BrokerError as `size` does."""
        return {tp: self._log.bounds(*tp, timeout).end for tp in self._partitions}

    def ping(self, timeout: float = _ANSWER_SECONDS) -> None:
        """Return when the leader of the first partition has answered. Raises BrokerError when it does not in time."""
        self._log.bounds(*self._partitions[0], timeout)

    def has_reached(self, ends: dict[Partition, int]) -> bool:
        """Whether everything before these offsets has been read."""
        return all(self._log.has_passed(*tp, end) for tp, end in ends.items())

    def close(self) -> None:
        """Let go of the broker."""
        self._log.close()

    def _partitions_of(self, topic: str) -> list[Partition]:
        return [(topic, number) for number in self._log.partitions(topic)]

    def _offset(self, start: Start, tp: Partition, held: Bounds) -> int:
        if isinstance(start, Mapping):
            known = start.get(tp, held.first)
            return held.first if known > held.end else max(known, held.first)  # beyond its end: made anew
        if start == "beginning":
            return held.first
        return held.end if start == "end" or start == 0 else self._newest(tp, held, start)

    def _newest(self, tp: Partition, held: Bounds, n: int) -> int:
        """The offset of the `n`-th newest record. Offsets also count what is no record: ends of transactions, and what
        was in those that were given up.
        """
        back = 2 * n
        while held.end - back > held.first:
            batches = self._log.read(*tp, held.end - back, held.end)
            try:
                offsets = [record.offset for batch in batches for record in batch]
            except Truncated as error:  # the log was cut off meanwhile: what is left of it
                return error.first
            if len(offsets) >= n:
                return offsets[-n]
            back *= 4
        return held.first
