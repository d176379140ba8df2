"""Both Kafka clients before one broker, which has a door for each way of logging in."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.embedded import EmbeddedKafka
from tests.integration.clients.certificates import Certificates
from tests.integration.clients.world import World
from tests.integration.support.outside import Outside, opened

USERS = {"alice": "wonderland-1865"}

_LOGIN = "org.apache.kafka.common.security"
_DOORS = {"TLS": "SSL", "MUTUAL": "SSL", "SCRAM": "SASL_SSL", "PLAIN": "SASL_PLAINTEXT"}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def clients_broker(certificates: Certificates) -> Iterator[EmbeddedKafka]:
    """Takes a silent member for dead after a second. Never stop it for longer."""
    properties = {
        "group.min.session.timeout.ms": "1000",
        # Where a test sets a rule for somebody, it holds; who comes by the plain door may do everything.
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
        "super.users": "User:ANONYMOUS",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.plain.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.plain.plain.sasl.jaas.config": f"{_LOGIN}.plain.PlainLoginModule required "
        + " ".join(f'user_{name}="{password}"' for name, password in USERS.items())
        + ";",
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.scram.scram-sha-256.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
        "listener.name.scram.scram-sha-512.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
        "listener.name.mutual.ssl.client.auth": "required",
    }
    for door in ("tls", "mutual", "scram"):
        properties |= {
            f"listener.name.{door}.ssl.keystore.type": "PEM",
            f"listener.name.{door}.ssl.keystore.location": str(certificates.broker),
            f"listener.name.{door}.ssl.truststore.type": "PEM",
            f"listener.name.{door}.ssl.truststore.location": str(certificates.authority),
        }
    with EmbeddedKafka(properties=properties, listeners=_DOORS, scram_users=USERS) as broker:
        yield broker


@pytest.fixture(scope="session")
def clients_outside(clients_broker: EmbeddedKafka) -> Iterator[Outside]:
    with opened(clients_broker.bootstrap_servers) as outside:
        yield outside


@pytest.fixture(params=["kafka-python", "confluent"])
def client(request: pytest.FixtureRequest) -> str:
    """The Kafka client under test."""
    name: str = request.param
    return name


@pytest.fixture
def world(client: str, clients_outside: Outside, tmp_path: Path) -> Iterator[World]:
    """A service's topics with two partitions each, and the means to act as its workers."""
    with World(clients_outside, client, f"t{uuid.uuid4().hex[:8]}", tmp_path) as world:
        yield world
