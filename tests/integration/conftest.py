"""One real Kafka and one real Valkey for the whole run. Where they cannot be had, tests fail: nothing is skipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from stream.embedded import EmbeddedKafka, EmbeddedValkey


@pytest.fixture(scope="session")
def broker() -> Iterator[EmbeddedKafka]:
    """Shared by all tests: use topics and groups with names of your own; never stop it."""
    with EmbeddedKafka() as running:
        yield running


@pytest.fixture(scope="session")
def valkey() -> Iterator[EmbeddedValkey]:
    """Shared by all tests: never stop it."""
    with EmbeddedValkey() as running:
        yield running


@pytest.fixture
def bootstrap(broker: EmbeddedKafka) -> str:
    """The shared broker's `host:port`."""
    return broker.bootstrap_servers


@pytest.fixture
def redis_url(valkey: EmbeddedValkey) -> str:
    """The shared Valkey, empty."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url
