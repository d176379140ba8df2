"""A broker that is not there, and one that stops in the middle: every call comes back."""

from __future__ import annotations

import os
import signal
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from stream.embedded import EmbeddedKafka
from stream.embedded.ports import free_port
from stream.errors import BrokerError
from stream.kafka.client import Position
from tests.integration.clients.world import Member, World, out
from tests.integration.support.outside import opened
from tests.integration.support.waiting import until


@pytest.fixture(scope="module")
def fragile_broker() -> Iterator[EmbeddedKafka]:
    """A broker of these tests' own, to be stopped."""
    with EmbeddedKafka(properties={"group.min.session.timeout.ms": "1000"}) as broker:
        yield broker


@pytest.fixture
def world(client: str, fragile_broker: EmbeddedKafka, tmp_path: Path) -> Iterator[World]:
    with (
        opened(fragile_broker.bootstrap_servers) as outside,
        World(outside, client, f"t{uuid.uuid4().hex[:8]}", tmp_path) as world,
    ):
        yield world


@contextmanager
def hanging(broker: EmbeddedKafka) -> Iterator[None]:
    """The broker's process stands still: it takes connections and answers nothing."""
    pid = broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        until(
            lambda: all(
                thread.read_text().rpartition(")")[2].split()[0] == "T"
                for thread in Path(f"/proc/{pid}/task").glob("*/stat")
            )
        )
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def working(member: Member) -> bool:
    """Whether a member can commit, polling until it can."""
    member.poll()
    try:
        member.consumer.commit(dict.fromkeys([tp for tp in member.owned if tp[1] == 1], Position(1)), 5.0)
    except BrokerError:
        return False
    return bool(member.owned)


MAKERS: dict[str, Callable[[World], Callable[..., object]]] = {
    "consumer": lambda world: world.member,
    "producer": lambda world: world.producer,
    "transactions": lambda world: lambda **kafka: world.transactions("worker", **kafka),
    "reader": lambda world: world.reader,
}


@pytest.mark.parametrize("maker", MAKERS)
def test_a_broker_that_is_not_there_is_told(world: World, maker: str) -> None:
    nowhere = f"127.0.0.1:{free_port()}"

    with pytest.raises(BrokerError, match=f"no Kafka broker answered at {nowhere}") as caught:
        MAKERS[maker](world)(bootstrap_servers=nowhere)

    assert caught.value.cure == "Check kafka.bootstrap_servers, and that the broker runs and can be reached from here."


def test_what_listens_and_is_no_kafka_is_told_with_what_to_look_at(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

        with pytest.raises(BrokerError, match=f"no Kafka broker answered at {address}") as caught:
            world.reader(bootstrap_servers=address)

    assert caught.value.cure is not None
    assert caught.value.cure.startswith("Something listens there, but did not answer as Kafka does.")


def test_no_call_waits_for_a_broker_that_hangs(world: World, fragile_broker: EmbeddedKafka) -> None:
    member = world.joined()
    group = member.consumer.group()
    producer, idle, busy = world.producer(), world.transactions("idle"), world.transactions("busy")
    producer.send(out(world.out, b"arrives"), lambda _: None)
    producer.flush(10.0)
    reader = world.reader()
    busy.begin()
    busy.send(out(world.out, b"on its way"))

    with hanging(fragile_broker):
        producer.send(out(world.out, b"on its way"), lambda _: None)
        with pytest.raises(BrokerError, match=r"did not acknowledge outputs within 0\.2 s"):
            producer.flush(0.2)
        producer.close(0.0)
        with pytest.raises(BrokerError):
            member.consumer.commit({(world.events, 0): Position(1)}, 0.2)
        with pytest.raises(BrokerError):
            member.consumer.committed(world.events, 0, 0.2)
        with pytest.raises(BrokerError, match="no Kafka broker answers"):
            member.consumer.ping(0.2)
        with pytest.raises(BrokerError):
            busy.commit({(world.events, 0): Position(1)}, group, 0.2)
        busy.close(0.0)
        idle.begin()
        with pytest.raises(BrokerError):
            idle.commit({(world.events, 0): Position(1)}, group, 0.2)
        idle.close(0.0)
        with pytest.raises(BrokerError, match="does not answer"):
            reader.bounds(world.out, 0, 0.2)
        member.consumer.close(0.2)


def test_members_go_on_after_the_broker_was_away(fragile_broker: EmbeddedKafka, tmp_path: Path) -> None:
    with (
        opened(fragile_broker.bootstrap_servers) as outside,
        World(outside, "kafka-python", "there", tmp_path) as there,
        World(outside, "confluent", "here", tmp_path) as here,
    ):
        members = [(world, world.joined()) for world in (there, here)]
        fragile_broker.kill()
        for _, member in members:
            with pytest.raises(BrokerError):
                member.consumer.ping(0.2)
        fragile_broker.start()

        for world, member in members:
            until(partial(working, member))
            world.give(world.events, [b"after"])
            member.poll_until(partial(member.read.get, (world.events, 0)))
            assert member.consumer.committed(world.events, 1) == Position(1)
