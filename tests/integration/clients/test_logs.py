"""Logs read outside of any group."""

from __future__ import annotations

from contextlib import closing

import pytest
from kafka.structs import TopicPartition

from stream.errors import BrokerError
from stream.kafka.client import Bounds, LogReader, NoTopicError, Truncated, admin
from tests.integration.clients.world import World, out
from tests.integration.support.waiting import until


def values(reader: LogReader, topic: str, start: int, stop: int) -> list[bytes | None]:
    return [record.value for batch in reader.read(topic, 0, start, stop) for record in batch]


def delete_before(world: World, topic: str, offset: int) -> None:
    with closing(admin(world.config().kafka)) as client:
        client.delete_records({TopicPartition(topic, 0): offset})


def test_a_stretch_of_a_log_is_read(world: World) -> None:
    world.give(world.out, [b"%d" % n for n in range(1000)])
    reader = world.reader()

    assert reader.bounds(world.out, 0) == Bounds(0, 1000)
    assert values(reader, world.out, 300, 305) == [b"300", b"301", b"302", b"303", b"304"]
    assert values(reader, world.out, 0, 1000) == [b"%d" % n for n in range(1000)]
    assert values(reader, world.out, 7, 7) == []


def test_one_stretch_after_the_other_is_read(world: World) -> None:
    world.give(world.out, [b"a", b"b"])
    world.give(world.labels, [b"c"])
    reader = world.reader()

    assert values(reader, world.out, 0, 1) == [b"a"]
    assert values(reader, world.labels, 0, 1) == [b"c"]
    assert values(reader, world.out, 1, 2) == [b"b"]


def test_an_empty_partition_has_nothing_to_read(world: World) -> None:
    reader = world.reader()

    assert reader.bounds(world.out, 1) == Bounds(0, 0)
    assert values(reader, world.out, 0, 0) == []


def test_offsets_without_records_are_passed_over(world: World) -> None:
    producer, group = world.transactions(), world.joined().consumer.group()
    for end, name in ((1, b"a"), (5, b"b")):
        producer.begin()
        producer.send(out(world.out, b"aborted " + name, partition=0))
        world.wait_for_end(world.out, end)
        producer.abort(10.0)
        producer.begin()
        producer.send(out(world.out, name, partition=0))
        producer.commit({}, group, 10.0)
    reader = world.reader()

    assert reader.bounds(world.out, 0) == Bounds(0, 8)
    assert values(reader, world.out, 0, 8) == [b"a", b"b"]
    assert values(reader, world.out, 0, 4) == [b"a"]
    assert values(reader, world.out, 3, 6) == []


def test_bounds_end_before_a_transaction_that_is_open(world: World) -> None:
    world.give(world.out, [b"a"])
    producer = world.transactions()
    producer.begin()
    producer.send(out(world.out, b"open", partition=0))
    world.wait_for_end(world.out, 2)
    reader = world.reader()

    assert reader.bounds(world.out, 0) == Bounds(0, 1)
    assert values(reader, world.out, 0, 1) == [b"a"]


def test_what_is_no_longer_kept_is_told(world: World) -> None:
    world.give(world.out, [b"%d" % n for n in range(10)])
    delete_before(world, world.out, 6)
    reader = world.reader()

    with pytest.raises(Truncated, match=r"begins at offset 6; offset 2 is no longer kept") as caught:
        values(reader, world.out, 2, 10)

    assert caught.value.first == 6
    assert reader.bounds(world.out, 0) == Bounds(6, 10)
    assert values(reader, world.out, 6, 10) == [b"6", b"7", b"8", b"9"]


def test_a_follower_that_the_log_was_cut_off_ahead_of_is_told(world: World) -> None:
    world.give(world.out, [b"%d" % n for n in range(10)])
    delete_before(world, world.out, 6)
    reader = world.reader()
    reader.start({(world.out, 0): 2})

    def told() -> Truncated | None:
        try:
            reader.poll(0.1)
        except Truncated as error:
            return error
        return None

    assert until(told).first == 6
    reader.move(world.out, 0, 8)
    read: list[bytes | None] = []

    def two() -> bool:
        read.extend(record.value for batch in reader.poll(0.1).values() for record in batch)
        return len(read) == 2

    until(two)
    assert read == [b"8", b"9"]


def test_partitions_are_followed_together(world: World) -> None:
    world.give(world.out, [b"a"])
    world.give(world.labels, [b"b"], partition=1)
    reader = world.reader()
    assert reader.partitions(world.out) == [0, 1]
    reader.start({(world.out, 0): 0, (world.labels, 1): 0})
    seen: list[bytes | None] = []

    def read() -> bool:
        seen.extend(record.value for batch in reader.poll(0.1).values() for record in batch)
        return reader.has_passed(world.out, 0, 1) and reader.has_passed(world.labels, 1, 1)

    until(read)

    assert sorted(filter(None, seen)) == [b"a", b"b"]
    assert not reader.has_passed(world.out, 0, 2)


def test_a_poll_gives_at_most_so_many_records(world: World) -> None:
    world.give(world.out, [b"%d" % n for n in range(10)])
    reader = world.reader()
    reader.start({(world.out, 0): 0})
    sizes: list[int] = []

    def read() -> bool:
        sizes.append(sum(len(batch) for batch in reader.poll(0.1, 4).values()))
        return sum(sizes) == 10

    until(read)

    assert max(sizes) <= 4


def test_a_topic_that_is_not_there_is_told(world: World) -> None:
    reader = world.reader()

    with pytest.raises(NoTopicError, match=r"nowhere' does not exist at 127"):
        reader.partitions(f"{world.app}.nowhere")


def test_a_stretch_that_never_comes_is_told(world: World) -> None:
    world.give(world.out, [b"a"])
    reader = world.reader()

    with pytest.raises(BrokerError, match=r"gave no record for 0\.2 s; 5 was not reached"):
        list(reader.read(world.out, 0, 0, 5, timeout=0.2))
