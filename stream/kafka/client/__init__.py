"""The seam to the Kafka client. Nothing outside this package knows which one it is.

`kafka.client` chooses: `kafka-python` is pure Python and always there, `confluent` (librdkafka, in C) takes a fraction
of the CPU per record and comes with the extra `fast`. `auto` takes that when it is installed. Administration goes
through kafka-python in both cases.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from stream.config.kafka import KafkaConfig
from stream.errors import ConfigError
from stream.kafka.client.base import (
    Batches,
    Bounds,
    Consumer,
    Fenced,
    Group,
    LogReader,
    NoTopicError,
    Outgoing,
    Owner,
    Partition,
    Position,
    Producer,
    Regrouped,
    Subscriber,
    TransactionalProducer,
    Truncated,
)
from stream.kafka.client.kafka_python.settings import admin, connection, in_words, name_in_words
from stream.kafka.client.limits import FETCH_WAIT_MS, PRODUCER_MAX_BYTES

if TYPE_CHECKING:
    from stream.config.model import Config

__all__ = [
    "FETCH_WAIT_MS",
    "PRODUCER_MAX_BYTES",
    "Batches",
    "Bounds",
    "Consumer",
    "Fenced",
    "Group",
    "LogReader",
    "NoTopicError",
    "Outgoing",
    "Owner",
    "Partition",
    "Position",
    "Producer",
    "Regrouped",
    "Subscriber",
    "TransactionalProducer",
    "Truncated",
    "admin",
    "client_of",
    "connection",
    "in_words",
    "make_consumer",
    "make_log_reader",
    "make_producer",
    "make_subscriber",
    "make_transactional_producer",
    "name_in_words",
]


def client_of(config: KafkaConfig) -> Literal["kafka-python", "confluent"]:
    """The client that the configuration comes down to. Raises ConfigError when it is not installed."""
    if config.client == "kafka-python":
        return "kafka-python"
    if find_spec("confluent_kafka") is not None:
        return "confluent"
    if config.client == "auto":
        return "kafka-python"
    raise ConfigError(
        "kafka.client: got confluent, and the library confluent-kafka is not installed.",
        "pip install 'driftline[fast]', or set kafka.client to auto.",
    )


def make_consumer(config: Config, owner: Owner) -> Consumer:
    """Join the service's group. Raises BrokerError when no broker answers, ConfigError."""
    if client_of(config.kafka) == "confluent":
        from stream.kafka.client.confluent.consumer import ConfluentConsumer

        return ConfluentConsumer(config, owner)
    from stream.kafka.client.kafka_python.consumer import KafkaPythonConsumer

    return KafkaPythonConsumer(config, owner)


def make_producer(config: KafkaConfig) -> Producer:
    """Raises BrokerError when no broker answers, ConfigError."""
    if client_of(config) == "confluent":
        from stream.kafka.client.confluent.producer import ConfluentProducer

        return ConfluentProducer(config)
    from stream.kafka.client.kafka_python.producer import KafkaPythonProducer

    return KafkaPythonProducer(config)


def make_transactional_producer(
    config: KafkaConfig, transactional_id: str, timeout: float = 30.0
) -> TransactionalProducer:
    """End what producers with this id have left open, and take their place.

    Raises BrokerError when that takes longer than `timeout` seconds or no broker answers, ConfigError.
    """
    if client_of(config) == "confluent":
        from stream.kafka.client.confluent.transactions import ConfluentTransactions

        return ConfluentTransactions(config, transactional_id, timeout)
    from stream.kafka.client.kafka_python.transactions import KafkaPythonTransactions

    return KafkaPythonTransactions(config, transactional_id, timeout)


def make_log_reader(config: KafkaConfig, fetch_wait_ms: int = FETCH_WAIT_MS) -> LogReader:
    """`fetch_wait_ms` is how long the broker may hold back an answer while there is nothing: whoever follows a quiet
    topic asks less often then. Raises BrokerError when no broker answers, ConfigError.
    """
    if client_of(config) == "confluent":
        from stream.kafka.client.confluent.reader import ConfluentReader

        return ConfluentReader(config, fetch_wait_ms)
    from stream.kafka.client.kafka_python.reader import KafkaPythonReader

    return KafkaPythonReader(config, fetch_wait_ms)


def make_subscriber(config: KafkaConfig, topic: str, group: str, longest: float) -> Subscriber:
    """Join a group that follows a topic; seeing to one record takes no longer than `longest` seconds.

    By kafka-python in both cases, as there are few records. Raises BrokerError when no broker answers, NoTopicError,
    ConfigError.
    """
    from stream.kafka.client.kafka_python.subscriber import KafkaPythonSubscriber

    return KafkaPythonSubscriber(config, topic, group, longest)
