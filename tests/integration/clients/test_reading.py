"""What a member of the group reads, and where it stands."""

from __future__ import annotations

from itertools import pairwise

from stream.kafka.client import Position
from tests.integration.clients.world import World, out
from tests.integration.support.outside import T0, Given


def test_records_come_in_order_as_they_were_produced(world: World) -> None:
    world.outside.produce(
        world.events,
        [Given(b"%d" % n, b"key", T0 + n, headers=(("h", b"%d" % n),)) for n in range(50)],
    )
    member = world.member()

    member.poll_until(lambda: len(member.read.get((world.events, 0), ())) == 50)

    records = member.read[world.events, 0]
    assert [(r.offset, r.value, r.timestamp) for r in records] == [
        (n, b"%d" % n, round((T0 + n) * 1000)) for n in range(50)
    ]
    assert (records[7].topic, records[7].partition, records[7].key) == (world.events, 0, b"key")
    assert [tuple(header) for header in records[7].headers] == [("h", b"7")]


def test_a_record_without_key_value_and_headers_is_one(world: World) -> None:
    world.outside.produce(world.events, [Given(None), Given(b"", None)])
    member = world.member()

    member.poll_until(lambda: len(member.read.get((world.events, 0), ())) == 2)

    tombstone, bare = member.read[world.events, 0]
    assert (tombstone.key, tombstone.value, list(tombstone.headers)) == (b"k", None, [])
    assert (bare.key, bare.value) == (None, b"")


def test_at_most_so_many_records_come_in_one_poll(world: World) -> None:
    world.give(world.events, [b"%d" % n for n in range(20)])
    member = world.joined(max_poll_records=3)
    read = [sum(len(batch) for batch in member.read.values())]
    while read[-1] < 20:
        member.poll()
        read.append(sum(len(batch) for batch in member.read.values()))

    assert max(after - before for before, after in pairwise([0, *read])) <= 3


def test_reading_goes_on_from_where_it_was_sought(world: World) -> None:
    world.give(world.events, [b"%d" % n for n in range(10)])
    member = world.member()
    member.poll_until(lambda: len(member.read.get((world.events, 0), ())) == 10)

    member.consumer.seek(world.events, 0, 7)
    member.poll_until(lambda: len(member.read[world.events, 0]) == 13)

    assert member.values[world.events, 0][10:] == [b"7", b"8", b"9"]


def test_a_partition_can_be_sought_as_soon_as_it_is_assigned(world: World) -> None:
    world.give(world.events, [b"%d" % n for n in range(10)])
    member = world.member()

    def sought() -> bool:
        if member.owned:
            member.consumer.seek(world.events, 0, 8)
            member.read.clear()
        return bool(member.owned)

    member.poll_until(sought)
    member.poll_until(lambda: len(member.read.get((world.events, 0), ())) == 2)

    assert member.values[world.events, 0] == [b"8", b"9"]


def test_seeking_a_partition_of_others_does_nothing(world: World) -> None:
    member = world.joined()

    member.consumer.seek(world.events, 7, 1)

    assert member.poll()


def test_a_paused_partition_gives_nothing_until_it_is_resumed(world: World) -> None:
    member = world.joined()
    member.consumer.pause(world.events, 0)
    world.give(world.events, [b"held"])
    world.give(world.events, [b"free"], partition=1)
    member.poll_until(lambda: (world.events, 1) in member.read)
    assert (world.events, 0) not in member.read

    member.consumer.resume(world.events, 0)
    member.poll_until(lambda: (world.events, 0) in member.read)

    assert member.values == {(world.events, 0): [b"held"], (world.events, 1): [b"free"]}


def test_a_partition_paused_in_the_middle_of_a_backlog_loses_nothing(world: World) -> None:
    world.give(world.events, [b"%d" % n for n in range(200)])
    world.give(world.labels, [b"%d" % n for n in range(200)])
    member = world.member(max_poll_records=20)
    read = member.read
    member.poll_until(lambda: (world.events, 0) in read)
    member.consumer.pause(world.events, 0)
    member.poll_until(lambda: len(read.get((world.labels, 0), ())) == 200)
    member.consumer.resume(world.events, 0)

    member.poll_until(lambda: len(read[world.events, 0]) == 200)

    assert [record.offset for record in read[world.events, 0]] == list(range(200))


def test_a_resumed_partition_is_read_on_while_the_others_have_nothing_new(world: World) -> None:
    world.give(world.events, [b"%d" % n for n in range(25)])
    world.give(world.labels, [b"%d" % n for n in range(25)])
    member = world.member(max_poll_records=10)
    events, labels = (member.read.setdefault((topic, 0), []) for topic in (world.events, world.labels))
    member.poll_until(lambda: 0 < len(labels) < 25 or len(labels) + len(events) == 50)
    assert len(labels) < 25, "the labels were to be paused in the middle"

    member.consumer.pause(world.labels, 0)
    world.give(world.events, [b"%d" % n for n in range(25, 30)])
    member.poll_until(lambda: len(events) == 30)
    member.consumer.resume(world.labels, 0)

    member.poll_until(lambda: len(labels) == 25)


def test_a_sought_partition_that_is_paused_stays_so(world: World) -> None:
    world.give(world.events, [b"a", b"b"])
    member = world.joined()
    member.consumer.pause(world.events, 0)
    member.consumer.seek(world.events, 0, 1)
    member.read.clear()
    world.give(world.events, [b"other"], partition=1)

    member.poll_until(lambda: (world.events, 1) in member.read)
    assert (world.events, 0) not in member.read

    member.consumer.resume(world.events, 0)
    member.poll_until(lambda: (world.events, 0) in member.read)
    assert member.values[world.events, 0] == [b"b"]


def test_committed_positions_carry_their_text(world: World) -> None:
    member = world.joined()
    assert member.consumer.committed(world.events, 0) is None

    member.consumer.commit({(world.events, 0): Position(3, "sequence 12"), (world.labels, 0): Position(5)}, 5.0)

    assert member.consumer.committed(world.events, 0) == Position(3, "sequence 12")
    assert member.consumer.committed(world.labels, 0) == Position(5, "")
    assert member.consumer.committed(world.events, 1) is None


def test_the_next_member_reads_on_from_the_committed_positions(world: World) -> None:
    world.give(world.events, [b"%d" % n for n in range(5)])
    world.give(world.labels, [b"%d" % n for n in range(5)])
    first = world.joined()
    first.consumer.commit({(world.events, 0): Position(3), (world.labels, 0): Position(4)}, 5.0)
    first.consumer.close(5.0)

    second = world.member()
    second.poll_until(lambda: len(second.read) == 2)

    assert second.values == {(world.events, 0): [b"3", b"4"], (world.labels, 0): [b"4"]}


def test_the_end_is_known_when_it_is_reached(world: World) -> None:
    world.give(world.events, [b"a", b"b", b"c"])
    member = world.member()
    member.poll_until(lambda: member.consumer.at_end(world.events, 0))

    assert member.values[world.events, 0] == [b"a", b"b", b"c"]
    assert member.consumer.end(world.events, 0) == 3

    member.consumer.seek(world.events, 0, 1)
    assert not member.consumer.at_end(world.events, 0)
    member.poll_until(lambda: member.consumer.at_end(world.events, 0))
    assert member.values[world.events, 0][3:] == [b"b", b"c"]


def test_an_empty_partition_is_at_its_end(world: World) -> None:
    member = world.joined()

    member.poll_until(lambda: member.consumer.at_end(world.labels, 1))


def test_a_partition_of_others_has_no_end(world: World) -> None:
    member = world.joined()

    assert member.consumer.end(world.events, 9) is None
    assert not member.consumer.at_end(world.events, 9)


def test_a_partition_that_ends_with_a_transaction_marker_is_at_its_end(world: World) -> None:
    upstream = world.transactions("upstream")
    member = world.joined()
    upstream.begin()
    upstream.send(out(world.events, b"a", partition=0))
    upstream.commit({}, member.consumer.group(), 10.0)

    member.poll_until(lambda: (world.events, 0) in member.read and member.consumer.at_end(world.events, 0))

    assert member.values == {(world.events, 0): [b"a"]}
    assert member.consumer.end(world.events, 0) == 2


def test_an_open_transaction_does_not_hold_the_end_away(world: World) -> None:
    world.give(world.events, [b"before"])
    upstream = world.transactions("upstream")
    upstream.begin()
    upstream.send(out(world.events, b"open", partition=0))
    world.wait_for_end(world.events, 2)
    member = world.member()

    member.poll_until(lambda: (world.events, 0) in member.read and member.consumer.at_end(world.events, 0))

    assert member.values == {(world.events, 0): [b"before"]}
    assert member.consumer.end(world.events, 0) == 2


def test_the_broker_answers_a_ping(world: World) -> None:
    member = world.member()
    member.consumer.ping(5.0)  # nothing is assigned yet

    member.poll_until(lambda: member.owned)
    member.consumer.ping(5.0)
