"""Following a topic from a thread: nothing is missed, nothing comes twice, whatever the broker does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

import pytest
import redis

from stream.embedded import EmbeddedKafka, EmbeddedValkey
from stream.kafka.reader import Start
from stream.records import RawRecord
from stream.testing import small_config
from stream.web.feeds.acknowledged import Acknowledged, Note
from stream.web.feeds.tail import Tail
from tests.clock import Clock
from tests.integration.support.outside import Given, Outside, opened
from tests.integration.support.waiting import until


class Followed:
    """A tail, and the values that it has handed over."""

    def __init__(self, bootstrap: str, topic: str, start: Start, client: str = "auto") -> None:
        config = small_config({"kafka": {"bootstrap_servers": bootstrap, "client": client}})
        self.values: list[int] = []
        self.tail = Tail(config.kafka, topic, start, self._take)

    def _take(self, records: Sequence[RawRecord]) -> None:
        values = [int(record.value or b"") for record in records]
        self.values += values
        if -1 in values:
            raise ValueError("a fault of ours")

    def wait(self, n: int) -> list[int]:
        """The values, once there are so many."""
        until(lambda: len(self.values) >= n, 30.0, lambda: f"{self.values}, {self.tail.standing}")
        return self.values

    def __enter__(self) -> Followed:
        self.tail.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.tail.stop()


@pytest.fixture(scope="module")
def outside(broker: EmbeddedKafka) -> Iterator[Outside]:
    with opened(broker.bootstrap_servers) as outside:
        yield outside


def values(*numbers: int, partition: int = 0) -> list[Given]:
    return [Given(str(n).encode(), partition=partition) for n in numbers]


@pytest.fixture
def topic() -> str:
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_the_newest_of_each_partition_come_first_and_then_what_is_produced(
    outside: Outside, topic: str, client: str
) -> None:
    outside.create(topic, partitions=2)
    outside.produce(topic, [*values(*range(10)), *values(*range(100, 110), partition=1)])
    with Followed(outside.bootstrap, topic, 3, client) as followed:
        assert followed.tail.caught_up.wait(30.0)
        assert sorted(followed.values) == [7, 8, 9, 107, 108, 109]
        outside.produce(topic, values(10, 11))

        assert followed.wait(8)[6:] == [10, 11]
        assert followed.tail.standing.heard is not None


def test_a_tail_from_the_end_hands_over_what_comes_once_it_is_positioned(outside: Outside, topic: str) -> None:
    outside.create(topic)
    outside.produce(topic, values(1, 2))
    with Followed(outside.bootstrap, topic, "end") as followed:
        assert followed.tail.positioned.wait(30.0)
        outside.produce(topic, values(3))

        assert followed.wait(1) == [3]


def test_a_topic_that_is_not_there_is_waited_for_and_said_to_be_missing(outside: Outside, topic: str) -> None:
    with Followed(outside.bootstrap, topic, 10) as followed:
        until(lambda: "does not exist" in (followed.tail.standing.trouble or ""), 30.0)
        outside.create(topic)
        outside.produce(topic, values(1))

        assert followed.wait(1) == [1]
        until(lambda: followed.tail.standing.trouble is None, 30.0)


def test_a_fault_in_what_takes_records_leaves_out_the_batch_and_not_what_follows(outside: Outside, topic: str) -> None:
    outside.create(topic)
    with Followed(outside.bootstrap, topic, "end") as followed:
        assert followed.tail.positioned.wait(30.0)
        outside.produce(topic, values(-1))
        followed.wait(1)
        outside.produce(topic, values(2))

        assert followed.wait(2) == [-1, 2]


def test_stopping_a_tail_that_was_never_started_or_is_stopped_already_does_nothing(bootstrap: str, topic: str) -> None:
    tail = Followed(bootstrap, topic, "end").tail

    tail.stop()
    tail.stop()


def note(who: str) -> Note:
    return Note(who, 5.0, "known")


def test_notes_are_shared_through_redis_and_outlive_who_wrote_them(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        Acknowledged(client, "app").set("a1", note("ann"), ["a1"], 10)

        other = Acknowledged(client, "app")
        assert other.notes() == {"a1": note("ann")}
        assert Acknowledged(client, "another").notes() == {}

        other.remove("a1")
        assert other.notes() == {}


def test_beyond_the_bound_notes_go_whose_alerts_are_no_longer_kept(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        acknowledged = Acknowledged(client, "app")
        for n in range(5):
            acknowledged.set(f"a{n}", note("ann"), ["a1", "a3"], 4)

        assert set(acknowledged.notes()) == {"a1", "a3", "a4"}


def test_what_others_write_among_the_notes_is_left_out(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        acknowledged = Acknowledged(client, "app")
        acknowledged.set("a1", note("ann"), [], 10)
        client.hset("driftline:app:acknowledged", "a2", b"{")

        assert set(acknowledged.notes()) == {"a1"}


def test_the_last_notes_that_were_read_are_shown_while_redis_is_away() -> None:
    clock = Clock()
    with EmbeddedValkey() as valkey, redis.Redis.from_url(valkey.url, socket_timeout=1.0) as client:
        acknowledged = Acknowledged(client, "app", clock)
        acknowledged.set("a1", note("ann"), [], 10)
        assert set(acknowledged.notes()) == {"a1"}
        valkey.stop()
        clock.now += 10.0

        assert set(acknowledged.notes()) == {"a1"}
