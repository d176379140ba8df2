"""Encryption and log-in, by every door of the broker."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from stream.embedded import EmbeddedKafka
from stream.errors import BrokerError, ConfigError
from stream.kafka.client import Position, admin
from stream.kafka.topics import Finding, inspect_topics
from tests.integration.clients.certificates import Certificates
from tests.integration.clients.conftest import USERS
from tests.integration.clients.world import World, out
from tests.integration.support.waiting import until

ALICE, PASSWORD = next(iter(USERS.items()))


@pytest.fixture
def doors(clients_broker: EmbeddedKafka, certificates: Certificates, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """The settings with which each door opens."""
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    tls = {"ca_file": str(certificates.authority)}
    client = {"cert_file": str(certificates.client), "key_file": str(certificates.client_key)}
    alice = {"username": ALICE, "password": {"file": str(password)}}
    settings: dict[str, dict[str, Any]] = {
        "TLS": {"tls": tls},
        "MUTUAL": {"tls": tls | client},
        "SCRAM": {"tls": tls, "sasl": alice},
        "SCRAM-SHA-256": {"tls": tls, "sasl": alice | {"mechanism": "SCRAM-SHA-256"}},
        "PLAIN": {"sasl": alice | {"mechanism": "PLAIN"}},
    }
    for door, given in settings.items():
        given["bootstrap_servers"] = clients_broker.listener("SCRAM" if door.startswith("SCRAM") else door)
    return settings


@pytest.mark.parametrize("door", ["TLS", "MUTUAL", "SCRAM", "SCRAM-SHA-256", "PLAIN"])
def test_a_service_runs_behind_this_door(world: World, doors: dict[str, dict[str, Any]], door: str) -> None:
    world.give(world.events, [b"event"])
    member = world.joined(**doors[door])
    member.poll_until(lambda: member.read)
    producer = world.transactions(**doors[door])

    producer.begin()
    producer.send(out(world.out, b"seen", partition=0))
    producer.commit({(world.events, 0): Position(1)}, member.consumer.group(), 10.0)

    assert member.consumer.committed(world.events, 0) == Position(1)
    reader = world.reader(**doors[door])
    assert [record.value for batch in reader.read(world.out, 0, 0, 1) for record in batch] == [b"seen"]


@pytest.fixture
def short_of_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for client in ("kafka_python", "confluent"):
        monkeypatch.setattr(f"stream.kafka.client.{client}.settings.CONNECT_SECONDS", 1.0)


def test_a_broker_with_a_strangers_certificate_is_refused(
    world: World, doors: dict[str, dict[str, Any]], certificates: Certificates
) -> None:
    with pytest.raises(BrokerError, match=r"\(TLS: certificate not trusted, ") as refused:
        world.producer(**doors["TLS"] | {"tls": {"ca_file": str(certificates.stranger)}})

    assert str(refused.value.cure).startswith("Check kafka.tls")


def test_a_port_that_speaks_no_tls_is_told(world: World, doors: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(BrokerError, match=r"\(no TLS handshake: [a-z ]+\)"):
        world.producer(**doors["TLS"] | {"bootstrap_servers": doors["PLAIN"]["bootstrap_servers"]})


@pytest.mark.parametrize(
    ("tls", "told"),
    [
        ({"ca_file": "nowhere.pem"}, r"kafka\.tls\.ca_file: nowhere\.pem cannot be used: No such file"),
        ({"cert_file": __file__}, r"kafka\.tls\.cert_file and key_file: .* cannot be used: it is no PEM file"),
    ],
)
def test_a_certificate_that_cannot_be_read_is_named_with_its_field(
    world: World, doors: dict[str, dict[str, Any]], tls: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        world.producer(**doors["TLS"] | {"tls": tls})


@pytest.mark.usefixtures("short_of_patience")
@pytest.mark.parametrize("door", ["SCRAM", "PLAIN"])
def test_a_wrong_password_is_told(world: World, doors: dict[str, dict[str, Any]], door: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password")
    settings = doors[door] | {"sasl": doors[door]["sasl"] | {"password": {"file": str(wrong)}}}

    with pytest.raises(BrokerError, match=r"(?i)authentication") as told:
        world.producer(**settings)

    assert re.search(r"\w(Error|Exception)\b", str(told.value)) is None, "the name of a class is nobody's words"


@pytest.mark.parametrize("client", ["kafka-python"])
@pytest.mark.parametrize(
    ("allowed", "told"), [("WRITE", "read"), ("READ", "write to"), ("DESCRIBE", "read or write to")]
)
def test_a_journal_that_this_user_may_not_both_read_and_write_is_told(
    world: World, doors: dict[str, dict[str, Any]], allowed: str, told: str
) -> None:
    journal = str(world.config().topics.journal)
    rule = ACL(
        f"User:{ALICE}",
        "*",
        ACLOperation[allowed],
        ACLPermissionType.ALLOW,
        ResourcePattern(ResourceType.TOPIC, journal),
    )
    with closing(admin(world.config().kafka)) as administrator:
        administrator.create_topics({journal: {"num_partitions": 2}}, wait_for_metadata=True)
        administrator.create_acls([rule])

    with closing(admin(world.config(**doors["PLAIN"]).kafka)) as alice:
        # A broker keeps a rule somewhat sooner than it goes by it.
        finding = until(lambda: next((one for one in _told(world, alice, journal) if not one.ok), None))

    assert finding == Finding(
        False,
        f"topic {journal}: this user may not {told} it",
        "As an administrator, allow it READ and WRITE on the topic: what was written is read again, by a worker that "
        "resumes and the page.",
    )


@pytest.mark.parametrize("client", ["kafka-python"])
def test_alerts_that_this_user_may_only_write_are_well_unless_somebody_reads_them_again(
    world: World, doors: dict[str, dict[str, Any]]
) -> None:
    topics = world.config().topics
    alerts = ResourcePattern(ResourceType.TOPIC, topics.alerts)
    with closing(admin(world.config().kafka)) as administrator:
        administrator.create_topics({topics.alerts: {"num_partitions": 1}}, wait_for_metadata=True)
        administrator.create_acls([ACL(f"User:{ALICE}", "*", ACLOperation.WRITE, ACLPermissionType.ALLOW, alerts)])

    def finding(readers: dict[str, list[str]]) -> Finding:
        found = inspect_topics(alice, topics, readers)
        return next(one for one in found if one.text.startswith(f"topic {topics.alerts}:"))

    with closing(admin(world.config(**doors["PLAIN"]).kafka)) as alice:
        assert finding({}).ok
        assert finding({topics.alerts: ["the page and the API", "webhooks"]}) == Finding(
            False,
            f"topic {topics.alerts}: this user may not read it",
            "As an administrator, allow it READ and WRITE on the topic: the page and the API and webhooks read it.",
        )


def _told(world: World, administrator: Any, topic: str) -> list[Finding]:
    found = inspect_topics(administrator, world.config().topics)
    return [finding for finding in found if finding.text.startswith(f"topic {topic}:")]
