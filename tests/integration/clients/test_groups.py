"""How members of a group hand partitions over to each other."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from kafka import KafkaConsumer

from stream.errors import BrokerError
from stream.kafka.client import Fenced, Partition, Position, Regrouped
from tests.integration.clients.world import Member, World, out, together
from tests.integration.support.waiting import until


def pairs(world: World, *numbers: int) -> set[Partition]:
    return {(topic, number) for topic in (world.events, world.labels) for number in numbers}


def shared(one: Member, other: Member) -> bool:
    """Whether each member has one pair of partitions."""
    return sorted(len(member.owned) for member in (one, other)) == [2, 2]


def test_a_partition_is_handed_over_with_its_labels_and_what_was_committed_for_it(world: World) -> None:
    one = world.joined()
    one.giving_up = lambda gone: {tp: Position(10 + tp[1], "handed over") for tp in gone}
    other = world.member()

    together(one, other, enough=lambda: shared(one, other))

    assert sorted([one.owned, other.owned], key=min) == [pairs(world, 0), pairs(world, 1)]
    gone = tuple(sorted(other.owned))
    assert one.told[1:] == [("revoking", gone), ("revoked", gone)]  # what stays is not given up
    assert one.committed == [True]
    assert other.told == [("assigned", gone)]
    for topic, number in gone:
        assert other.consumer.committed(topic, number) == Position(10 + number, "handed over")


def test_partitions_come_back_with_what_a_member_committed_when_it_left(world: World) -> None:
    one, other = world.member(), world.member()
    together(one, other, enough=lambda: shared(one, other))
    came = set(other.owned)
    other.giving_up = lambda gone: dict.fromkeys(gone, Position(7, "left"))

    other.consumer.close(5.0)
    one.poll_until(lambda: len(one.owned) == 4)

    assert set(other.committed) == {True}  # twice where the group was settled once more meanwhile
    assert other.owned == set()
    assert {one.consumer.committed(*tp) for tp in came} == {Position(7, "left")}


def test_members_with_different_clients_share_a_group(world: World) -> None:
    one, other = (
        world.member(),
        world.member("confluent"),
    )
    third = world.member("kafka-python")

    together(one, other, third, enough=lambda: sorted(len(m.owned) for m in (one, other, third)) == [0, 2, 2])

    assert one.owned | other.owned | third.owned == pairs(world, 0, 1)
    assert all(m.owned in (set(), pairs(world, 0), pairs(world, 1)) for m in (one, other, third))


def test_one_belongs_to_a_group_once_that_has_answered_be_it_with_no_partition(world: World) -> None:
    one, other, third = members = [world.member() for _ in range(3)]
    at_first = [member.consumer.member for member in members]

    together(one, other, third, enough=lambda: sorted(len(member.owned) for member in members) == [0, 2, 2])
    together(one, other, third, enough=lambda: all(member.consumer.member for member in members))

    assert at_first == [False] * 3


def test_a_partition_that_stays_is_read_on_without_a_gap(world: World) -> None:
    world.give(world.events, [b"%d" % n for n in range(300)])
    world.give(world.events, [b"%d" % n for n in range(300)], partition=1)
    one = world.joined(max_poll_records=10)
    other = world.member(max_poll_records=10)
    together(one, other, enough=lambda: shared(one, other))
    (kept,) = one.events_owned

    together(one, other, enough=lambda: len(one.read.get((world.events, kept), ())) >= 300)

    assert [record.offset for record in one.read[world.events, kept]] == list(range(300))


def test_a_partition_that_stays_is_read_while_another_member_takes_its_time(world: World) -> None:
    one, other = world.member(), world.member()
    together(one, other, enough=lambda: shared(one, other))
    (kept,) = one.events_owned
    late = world.member()
    late.poll()  # it joins, and waits for the others to join again

    world.give(world.events, [b"meanwhile"], partition=kept)
    one.poll_until(lambda: (world.events, kept) in one.read)

    assert one.values[world.events, kept] == [b"meanwhile"]
    other.consumer.close(5.0)
    together(one, late, enough=lambda: shared(one, late))


def test_partitions_go_uncommitted_when_their_outputs_are_not_safe(world: World) -> None:
    def fail(gone: tuple[Partition, ...]) -> Mapping[Partition, Position]:
        raise BrokerError("outputs are not safe")

    one = world.joined()
    one.giving_up = fail
    other = world.member()

    together(one, other, enough=lambda: shared(one, other))

    assert one.committed == [False]
    assert {other.consumer.committed(*tp) for tp in other.owned} == {None}


def test_a_transaction_can_be_committed_while_partitions_are_given_up(world: World) -> None:
    producer = world.transactions()
    one = world.joined()

    def commit(gone: tuple[Partition, ...]) -> Mapping[Partition, Position]:
        producer.begin()
        producer.send(out(world.out, b"last"))
        producer.commit({tp: Position(5, "in a transaction") for tp in gone}, one.consumer.group(), 10.0)
        return {}

    one.giving_up = commit
    other = world.member()
    together(one, other, enough=lambda: shared(one, other))

    assert one.committed == [True]
    assert {other.consumer.committed(*tp) for tp in other.owned} == {Position(5, "in a transaction")}
    assert world.seen(world.out) == [b"last"]


def test_a_transaction_can_be_committed_while_a_member_leaves(world: World) -> None:
    producer = world.transactions()
    one = world.joined()

    def commit(gone: tuple[Partition, ...]) -> Mapping[Partition, Position]:
        producer.begin()
        producer.send(out(world.out, b"last"))
        producer.commit({tp: Position(5) for tp in gone}, one.consumer.group(), 10.0)
        return {}

    one.giving_up = commit
    one.consumer.close(10.0)

    assert one.committed == [True]
    assert world.seen(world.out) == [b"last"]


def test_a_member_of_a_generation_that_is_over_commits_nothing(world: World) -> None:
    producer = world.transactions()
    one = world.joined()
    outdated = one.consumer.group()
    other = world.member()
    together(one, other, enough=lambda: shared(one, other))
    gone = min(other.owned)

    producer.begin()
    producer.send(out(world.out, b"zombie"))
    with pytest.raises(Regrouped):
        producer.commit({gone: Position(5)}, outdated, 10.0)

    world.transactions()
    assert world.seen(world.out) == []
    assert other.consumer.committed(*gone) is None


def test_a_member_that_has_left_commits_nothing(world: World) -> None:
    producer = world.transactions()
    one = world.joined()
    outdated = one.consumer.group()
    one.consumer.close(5.0)

    producer.begin()
    producer.send(out(world.out, b"zombie"))
    with pytest.raises(Regrouped):
        producer.commit({(world.events, 0): Position(5)}, outdated, 10.0)


def test_partitions_of_a_member_that_stopped_polling_are_lost_to_it(world: World) -> None:
    asleep = world.joined(max_poll_interval=1.0)
    other = world.member()
    other.poll_until(lambda: len(other.owned) == 4)
    asleep.giving_up = lambda gone: {tp: Position(99, "too late") for tp in gone}

    together(asleep, other, enough=lambda: shared(asleep, other))

    assert not any(asleep.committed)
    assert {tp for what, gone in asleep.told if what == "revoked" for tp in gone} == pairs(world, 0, 1)
    assert {other.consumer.committed(*tp) for tp in pairs(world, 0, 1)} == {None}


def test_offsets_of_a_lost_partition_are_refused(world: World) -> None:
    asleep = world.joined(max_poll_interval=1.0)
    other = world.member()
    other.poll_until(lambda: len(other.owned) == 4)

    with pytest.raises(Regrouped, match="committing offsets failed"):
        asleep.consumer.commit({(world.events, 0): Position(99)}, 5.0)

    assert other.consumer.committed(world.events, 0) is None


def test_a_named_instance_takes_its_partitions_back_at_once(world: World) -> None:
    one, other = world.member(instance="pod-0"), world.member(instance="pod-1")
    together(one, other, enough=lambda: shared(one, other))
    had, kept = set(one.owned), set(other.owned)
    one.consumer.close(5.0)

    again = world.member(instance="pod-0")
    together(again, other, enough=lambda: again.owned)

    assert again.owned == had
    assert other.owned == kept
    assert [what for what, _ in other.told].count("assigned") == 1


@pytest.mark.parametrize("client", ["kafka-python"])
def test_a_member_knows_the_partitions_before_it_joins(world: World) -> None:
    """Else it may share out none, and be killed: whoever takes over its `kafka.instance` would wait for ever."""
    consumer: Any = world.member(instance="pod-0").consumer

    assert consumer._consumer._cluster.partitions_for_topic(world.events) == {0, 1}


def test_a_second_consumer_with_an_instance_name_fences_the_first(world: World) -> None:
    first = world.joined(instance="pod-0")
    second = world.member(instance="pod-0")
    second.poll_until(lambda: len(second.owned) == 4)

    with pytest.raises(Fenced, match=r"our kafka\.instance, pod-0") as caught:
        first.poll_until(lambda: False)

    assert "give each a name of its own, such as instance: ${HOSTNAME}" in str(caught.value.cure)


def test_a_group_that_shares_out_in_another_way_is_told_and_joined_when_it_is_gone(world: World) -> None:
    eager = KafkaConsumer(world.events, bootstrap_servers=world.outside.bootstrap, group_id=f"driftline-{world.app}")
    until(lambda: eager.poll(1000) or eager.assignment())
    member = world.member()

    with pytest.raises(BrokerError) as caught:
        member.poll_until(lambda: member.owned)
    eager.close()

    assert "Stop them all, then start this one" in str(caught.value.cure)
    until(lambda: poll_in_spite(member) and len(member.owned) == 4)


def poll_in_spite(member: Member) -> bool:
    """Poll, as a worker that tries again does."""
    with suppress(BrokerError):
        member.poll()
    return True
