"""Which Kafka client a configuration comes down to."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

import pytest

from stream.config.kafka import KafkaConfig
from stream.errors import ConfigError
from stream.kafka.client import client_of


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.kafka.client.find_spec", lambda name: None)


@pytest.mark.parametrize(
    ("asked", "client"), [("auto", "confluent"), ("confluent", "confluent"), ("kafka-python", "kafka-python")]
)
def test_auto_takes_the_fast_client_where_it_is_installed(
    asked: Literal["auto", "confluent", "kafka-python"], client: str
) -> None:
    assert client_of(KafkaConfig(client=asked)) == client


@pytest.mark.usefixtures("not_installed")
def test_auto_takes_the_one_that_is_always_there_elsewhere() -> None:
    assert client_of(KafkaConfig()) == "kafka-python"


@pytest.mark.usefixtures("not_installed")
def test_a_client_that_is_not_installed_is_refused_with_the_cure() -> None:
    with pytest.raises(ConfigError) as caught:
        client_of(KafkaConfig(client="confluent"))

    assert caught.value.message == "kafka.client: got confluent, and the library confluent-kafka is not installed."
    assert caught.value.cure == "pip install 'driftline[fast]', or set kafka.client to auto."


def test_the_fast_client_is_imported_only_when_it_is_used() -> None:
    look = "import sys, stream.kafka.client, stream.kafka.reader; sys.exit('confluent_kafka' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
