"""How kafka-python's consumer shares out partitions: those of events by the group, those of labels with them.

The cooperative assignor of the group spreads partitions evenly and knows no pairs: of two topics it would give events 0
to one member and labels 0 to another. So the group is told of the events topic only, which works with any client's
members in the same group, and each member adds the labels partitions to what it is given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment
from kafka.structs import TopicPartition


class EventsAssignor(CooperativeStickyAssignor):  # type: ignore[misc]
    """Asks the group for partitions of the events topic, and says truly which of them are owned.

    The one it extends says what it was once given, also after the group has declared this member dead and given that
    to others: they would hand it over at once, in the middle of their work.
    """

    def __init__(self, events: str, owned: Callable[[], Sequence[TopicPartition]]) -> None:
        super().__init__()
        self._events = events
        self._owned = owned

    def metadata(self, topics: Any) -> Any:
        self.member_assignment = [tp for tp in self._owned() if tp.topic == self._events]
        return super().metadata([self._events])


def bring_along(coordinator: Any, events: str, labels: str) -> None:
    """Have a consumer's coordinator add to each partition of events that it is given the one of labels."""
    complete: Callable[[Any, str, str, bytes], Awaitable[None]] = coordinator._on_join_complete_async

    async def widened(generation: Any, member_id: str, protocol: str, assignment: bytes) -> None:
        decoded = ConsumerProtocolAssignment.decode(assignment)
        numbers = [tp.partition for tp in decoded.partitions() if tp.topic == events]
        decoded.assigned_partitions = [(topic, numbers) for topic in (events, labels)] if numbers else []
        await complete(generation, member_id, protocol, decoded.encode())

    coordinator._on_join_complete_async = widened
