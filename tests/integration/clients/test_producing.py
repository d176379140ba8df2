"""Records produced, with and without transactions."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kafka import KafkaProducer
from kafka.structs import OffsetAndMetadata, TopicPartition

from stream.errors import BrokerError
from stream.kafka.client import Fenced, Outgoing, Position
from tests.integration.clients.world import World, out

HUGE = b"x" * 2_000_000
"""A record that a client hands over and the broker refuses."""


def never(error: BaseException) -> None:
    """Fails the test: no record was to be refused."""
    pytest.fail(str(error))


@contextmanager
def offsets_in_flight(world: World, position: Position) -> Iterator[KafkaProducer]:
    """A transaction by another hand that holds offsets of events 0 and is open."""
    producer = KafkaProducer(bootstrap_servers=world.outside.bootstrap, transactional_id=f"{world.app}-other")
    try:
        producer.init_transactions()
        producer.begin_transaction()
        moved = {TopicPartition(world.events, 0): OffsetAndMetadata(position.offset, position.metadata, -1)}
        producer.send_offsets_to_transaction(moved, f"driftline-{world.app}")
        yield producer
    finally:
        producer.close(timeout=5)


def test_records_arrive_whole_and_in_order(world: World) -> None:
    failed: list[BaseException] = []
    producer = world.producer()

    for n in range(500):
        producer.send(Outgoing(world.out, b"k", b"%d" % n, [("h", b"%d" % n)]), failed.append)
    producer.flush(10.0)

    seen = world.arrived(world.out, 500)
    assert failed == []
    assert [record.value for record in seen] == [b"%d" % n for n in range(500)]
    assert (seen[3].key, seen[3].headers) == (b"k", {"h": b"3"})


def test_a_key_goes_where_every_kafka_client_puts_it(world: World) -> None:
    topic = f"{world.app}.wide"
    world.outside.create(topic, 7)
    keys = [uuid.uuid4().hex.encode() for _ in range(30)]
    reference = KafkaProducer(bootstrap_servers=world.outside.bootstrap)
    partitions = [reference.send(topic, b"", key).get(10).partition for key in keys]
    reference.close()
    producer = world.producer()

    for key in keys:
        producer.send(out(topic, b"ours", key), never)
    producer.flush(10.0)

    ours = {record.key: record.partition for record in world.arrived(topic, 60) if record.value == b"ours"}
    assert ours == dict(zip(keys, partitions, strict=True))


def test_a_record_has_the_time_at_which_it_is_produced_or_the_one_that_it_is_given(world: World) -> None:
    producer, before = world.producer(), time.time()

    for value, at in ((b"now", None), (b"then", 1_357_035_300_125)):
        producer.send(Outgoing(world.out, b"k", value, [], at=at), never)
    producer.flush(10.0)

    times = {record.value: record.timestamp for record in world.arrived(world.out, 2)}
    assert times[b"then"] == 1_357_035_300.125
    assert before - 1 <= times[b"now"] <= time.time() + 1


def test_a_record_can_be_given_its_partition(world: World) -> None:
    producer = world.producer()

    for number in (1, 0, 1):
        producer.send(out(world.out, b"%d" % number, b"same key", number), never)
    producer.flush(10.0)

    assert sorted((r.partition, r.value) for r in world.arrived(world.out, 3)) == [(0, b"0"), (1, b"1"), (1, b"1")]


def test_a_record_without_a_key_or_a_value_is_delivered(world: World) -> None:
    producer = world.producer()

    producer.send(Outgoing(world.out, None, b"no key", [], 0), never)
    producer.send(Outgoing(world.out, b"tombstone", None, [], 0), never)
    producer.flush(10.0)

    assert [(r.key, r.value) for r in world.arrived(world.out, 2)] == [(None, b"no key"), (b"tombstone", None)]


def test_a_record_that_the_broker_refuses_is_told(world: World) -> None:
    failed: list[BaseException] = []
    producer = world.producer()

    producer.send(out(world.out, HUGE), failed.append)
    producer.flush(10.0)

    assert len(failed) == 1
    assert "large" in str(failed[0]).lower()


def test_a_record_that_is_too_large_for_any_request_is_told(world: World) -> None:
    failed: list[BaseException] = []
    producer = world.producer()

    producer.send(out(world.out, b"x" * 5_000_000), failed.append)
    producer.flush(10.0)

    assert len(failed) == 1


def test_a_record_for_a_topic_that_is_not_there_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for client in ("kafka_python", "confluent"):
        monkeypatch.setattr(f"stream.kafka.client.{client}.producer.SEND_SECONDS", 0.5)
    failed: list[BaseException] = []
    producer = world.producer()

    producer.send(out(f"{world.app}.nowhere", b"lost"), failed.append)
    producer.flush(10.0)

    assert len(failed) == 1


def test_a_transaction_is_seen_whole_or_not_at_all(world: World) -> None:
    producer = world.transactions()
    group = world.joined().consumer.group()
    producer.begin()
    for number in (0, 1):
        producer.send(out(world.out, b"%d" % number, partition=number))
    world.wait_for_end(world.out, 1)
    assert world.seen(world.out) == []

    producer.commit({(world.events, 0): Position(3, "seven")}, group, 10.0)

    assert world.seen(world.out) == [b"0", b"1"]


def test_positions_are_committed_with_the_records(world: World) -> None:
    producer, member = world.transactions(), world.joined()
    producer.begin()
    producer.send(out(world.out, b"output"))

    producer.commit(
        {(world.events, 0): Position(3, "seven"), (world.labels, 0): Position(4)}, member.consumer.group(), 10.0
    )

    assert member.consumer.committed(world.events, 0) == Position(3, "seven")
    assert member.consumer.committed(world.labels, 0) == Position(4)


def test_positions_can_be_committed_without_records(world: World) -> None:
    producer, member = world.transactions(), world.joined()
    producer.begin()

    producer.commit({(world.events, 1): Position(9)}, member.consumer.group(), 10.0)

    assert member.consumer.committed(world.events, 1) == Position(9)


def test_an_empty_transaction_is_one(world: World) -> None:
    producer, member = world.transactions(), world.joined()

    for _ in range(2):
        producer.begin()
        producer.commit({}, member.consumer.group(), 10.0)

    assert world.seen(world.out) == []


def test_nobody_reads_an_aborted_transaction(world: World) -> None:
    producer, member = world.transactions(), world.joined()
    producer.begin()
    producer.send(out(world.out, b"aborted"))
    producer.abort(10.0)

    producer.begin()
    producer.send(out(world.out, b"committed"))
    producer.commit({}, member.consumer.group(), 10.0)

    assert world.seen(world.out) == [b"committed"]


def test_transactions_follow_each_other(world: World) -> None:
    producer, member = world.transactions(), world.joined()

    for n in range(20):
        producer.begin()
        producer.send(out(world.out, b"%d" % n, partition=0))
        producer.commit({(world.events, 0): Position(n + 1, str(n))}, member.consumer.group(), 10.0)

    assert world.seen(world.out) == [b"%d" % n for n in range(20)]
    assert member.consumer.committed(world.events, 0) == Position(20, "19")


def test_a_new_producer_ends_what_the_one_before_left_open(world: World) -> None:
    first, member = world.transactions(), world.joined()
    first.begin()
    first.send(out(world.out, b"left open", partition=0))
    world.wait_for_end(world.out, 1)

    second = world.transactions()
    second.begin()
    second.send(out(world.out, b"taken over", partition=0))
    second.commit({}, member.consumer.group(), 10.0)

    assert world.seen(world.out) == [b"taken over"]


def test_a_producer_whose_id_was_taken_commits_nothing(world: World) -> None:
    first, member = world.transactions(), world.joined()
    first.begin()
    first.send(out(world.out, b"zombie"))
    world.transactions()

    with pytest.raises(Fenced):
        first.commit({(world.events, 0): Position(5)}, member.consumer.group(), 10.0)

    assert world.seen(world.out) == []
    assert member.consumer.committed(world.events, 0) is None


def test_a_producer_whose_id_was_taken_between_transactions_commits_nothing(world: World) -> None:
    first, member = world.transactions(), world.joined()
    first.begin()
    first.send(out(world.out, b"before"))
    first.commit({}, member.consumer.group(), 10.0)
    world.transactions()

    with pytest.raises(Fenced):  # noqa: PT012 - whichever step is the first to notice
        first.begin()
        first.send(out(world.out, b"zombie"))
        first.commit({}, member.consumer.group(), 10.0)

    assert world.seen(world.out) == [b"before"]


def test_a_transaction_with_a_record_that_is_refused_is_not_committed(world: World) -> None:
    producer, member = world.transactions(), world.joined()
    producer.begin()
    producer.send(out(world.out, b"good"))
    producer.send(out(world.out, HUGE))

    with pytest.raises(BrokerError, match=r"(?i)large"):
        producer.commit({(world.events, 0): Position(5)}, member.consumer.group(), 10.0)
    producer.close(0.0)

    successor = world.transactions()
    assert member.consumer.committed(world.events, 0) is None
    successor.begin()
    successor.send(out(world.out, b"again"))
    successor.commit({}, member.consumer.group(), 10.0)
    assert world.seen(world.out) == [b"again"]


def test_committed_positions_wait_for_the_end_of_a_transaction(world: World) -> None:
    member = world.joined()
    with offsets_in_flight(world, Position(7, "settled")) as other:
        with pytest.raises(BrokerError, match=r"events\[0\]"):
            member.consumer.committed(world.events, 0, timeout=0.3)

        other.commit_transaction()

    assert member.consumer.committed(world.events, 0) == Position(7, "settled")


def test_committed_positions_of_an_aborted_transaction_are_those_before_it(world: World) -> None:
    member = world.joined()
    member.consumer.commit({(world.events, 0): Position(2, "before")}, 5.0)
    with offsets_in_flight(world, Position(7)) as other:
        other.abort_transaction()

    assert member.consumer.committed(world.events, 0) == Position(2, "before")


def test_a_member_reads_on_when_the_transaction_with_its_offsets_has_ended(world: World) -> None:
    world.give(world.events, [b"0", b"1", b"2"])
    world.joined().consumer.close(5.0)
    with offsets_in_flight(world, Position(2)) as other:
        member = world.joined()
        member.poll()
        assert (world.events, 0) not in member.read

        other.commit_transaction()
        member.poll_until(lambda: (world.events, 0) in member.read)

    assert member.values[world.events, 0] == [b"2"]
