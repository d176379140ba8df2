"""What kafka-python's consumer (3.0.12) gets wrong or keeps to itself, put right from outside.

Each is a few lines around one method of its insides; tests/integration/clients has a test for each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kafka.errors import FencedInstanceIdError, UnknownTopicOrPartitionError
from kafka.structs import TopicPartition

from stream.kafka.client.base import SHARED_INSTANCE, Fenced

_JOIN_MS = 10
"""Turn that a join gets between two looks for records, in milliseconds."""


class Mended:
    """Mends one consumer. `stable_ends` are the last stable offsets of its partitions as of the last fetch."""

    def __init__(self, consumer: Any) -> None:
        self.stable_ends: dict[TopicPartition, int] = {}
        self._consumer = consumer
        self._coordinator = consumer._coordinator
        self._fetcher = consumer._fetcher
        self._fenced = False
        self._note_stable_ends()
        self._note_fencing()
        self._read_while_joining()

    def know_topics(self, timeout: float) -> None:
        """Return when the partitions of the subscribed topics are known. Raises KafkaError after `timeout` seconds.

        The client joins without: as leader it then shares out nothing, and mends that in a second join. One that was
        killed in between leaves its instance name with no partitions, and who takes the name over is content with that.
        """
        client = self._consumer
        deadline = time.monotonic() + timeout
        while True:
            client._net.run(client._manager.wait_for, client._cluster.request_update(), timeout * 1000)
            unknown = [topic for topic in client.subscription() if not client._cluster.partitions_for_topic(topic)]
            if not unknown:
                return
            # That was asked for before we subscribed, or the broker has yet to hear of a new topic.
            if time.monotonic() > deadline:
                raise UnknownTopicOrPartitionError(", ".join(unknown))

    def before_poll(self) -> None:
        """To be called before each poll. Raises `Fenced` when another consumer has our instance name."""
        if self._fenced:
            name = self._consumer.config["group_instance_id"]
            raise Fenced(f"another process has joined the group as our kafka.instance, {name}", SHARED_INSTANCE)
        self._free_place_in_line()

    def _note_stable_ends(self) -> None:
        """Keep the last stable offsets, which the client reads past.

        It gives out the high watermark only, which a transaction that is still open holds away from a reader.
        """
        parse = self._fetcher._parse_fetched_data

        def noting(fetched: Any) -> Any:
            data = fetched.partition_data
            if data.error_code == 0:
                self.stable_ends[fetched.topic_partition] = data.last_stable_offset
            return parse(fetched)

        self._fetcher._parse_fetched_data = noting

    def _note_fencing(self) -> None:
        """Keep that a heartbeat was refused because another consumer has our instance name.

        The client stops its heartbeats then and says no more: it would believe for ever that it owns its partitions.
        """
        send = self._coordinator._send_heartbeat_request

        async def noting() -> None:
            try:
                await send()
            except FencedInstanceIdError:
                self._fenced = True
                raise

        self._coordinator._send_heartbeat_request = noting

    def _read_while_joining(self) -> None:
        """Have the client read the partitions that it keeps while a rebalance goes on.

        It gives no records from when it begins to join until every other member has joined too, seconds later.
        """
        poll = self._coordinator.poll

        def polling(timeout_ms: float | None = None) -> bool:
            self._finish_join()
            if self._consumer.assignment() and (self._coordinator.rejoining or self._coordinator.need_rejoin()):
                poll(timeout_ms=_JOIN_MS if timeout_ms is None else min(timeout_ms, _JOIN_MS))
                return True
            answer: bool = poll(timeout_ms=timeout_ms)
            return answer

        self._coordinator.poll = polling

    def _finish_join(self) -> None:
        """Have the client look at the outcome of a join that it began.

        When the poll in which it began ends before the join does, no later poll looks at the outcome: either the
        reason to join is held for gone, and the member stays in the group with partitions that it does not read; or
        the join is begun again, and all other members with it.
        """
        coordinator = self._coordinator
        if not coordinator.rejoining:
            return
        if not coordinator.need_rejoin():
            coordinator.request_rejoin()
        if coordinator._join_task is not None and coordinator._join_task.is_done:
            coordinator._join_task = _Outcome(coordinator._join_task)

    def _free_place_in_line(self) -> None:
        """Have the client take up a partition that was paused with fetched records and is resumed.

        It gives such records the place in line when that is None, but one that is used up it leaves there. While the
        other partitions have nothing new, the resumed one would wait for good.
        """
        if not self._fetcher._next_partition_records:
            self._fetcher._next_partition_records = None


class _Outcome:
    """A join that is done, as one to be waited for: the client begins anew when it finds one that is done."""

    is_done = False

    def __init__(self, task: Any) -> None:
        self.add_callback: Callable[[Any], Any] = task.add_callback
        self.add_errback: Callable[[Any], Any] = task.add_errback
