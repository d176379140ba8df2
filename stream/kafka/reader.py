"""Reading whole topics as an outside subscriber does: every partition, no consumer group, nothing committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from stream.config.model import KafkaConfig
from stream.decode import RawRecord
from stream.kafka.client import Bounds, NoTopicError, Partition, Truncated, make_log_reader

__all__ = ["NoTopicError", "Reader", "Start"]

Start: TypeAlias = Literal["beginning", "end"] | int
"""Where reading begins; a number is that many of the newest records of each partition."""

_ANSWER_SECONDS = 10.0


class Reader:
    """Reads committed records of some topics, from `start` on.

    Raises BrokerError when no broker answers, NoTopicError when a topic is not there.
    """

    def __init__(self, config: KafkaConfig, topics: Sequence[str], start: Start = "beginning") -> None:
        self._log = make_log_reader(config)
        try:
            self._partitions = [tp for topic in topics for tp in self._partitions_of(topic)]
            self._log.start({tp: self._offset(start, tp) for tp in self._partitions})
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

    def has_reached(self, ends: dict[Partition, int]) -> bool:
        """Whether everything before these offsets has been read."""
        return all(self._log.has_passed(*tp, end) for tp, end in ends.items())

    def close(self) -> None:
        """Let go of the broker."""
        self._log.close()

    def _partitions_of(self, topic: str) -> list[Partition]:
        return [(topic, number) for number in self._log.partitions(topic)]

    def _offset(self, start: Start, tp: Partition) -> int:
        held = self._log.bounds(*tp)
        if start == "beginning":
            return held.first
        return held.end if start in ("end", 0) else self._newest(tp, held, int(start))

    def _newest(self, tp: Partition, held: Bounds, n: int) -> int:
        """The offset of the `n`-th newest record. Offsets also count what is no record: ends of transactions, and what
        was in those that were given up.
        """
        back = 2 * n
        while held.end - back > held.first:
            batches = self._log.read(*tp, held.end - back, held.end)
            offsets = [record.offset for batch in batches for record in batch]
            if len(offsets) >= n:
                return offsets[-n]
            back *= 4
        return held.first
