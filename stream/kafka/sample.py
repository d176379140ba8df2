"""Reading a few records of a topic, as an onlooker: no group is joined, nothing is committed."""

from __future__ import annotations

import time

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream.config.model import KafkaConfig
from stream.errors import BrokerError
from stream.kafka.client import connection
from stream.kafka.reach import require_listener


def oldest_values(bootstrap: str, topic: str, most: int, seconds: float) -> list[bytes]:
    """Values of the oldest records of all partitions, at most `most`, waiting at most `seconds` for more of them.

    Raises BrokerError if no broker answers, or the topic is not there or holds nothing.
    """
    config = KafkaConfig(bootstrap_servers=bootstrap)
    require_listener(bootstrap)
    values: list[bytes] = []
    try:
        consumer = KafkaConsumer(
            **connection(config),
            group_id=None,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
        )
        try:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not partitions:
                raise BrokerError(f"topic {topic} does not exist at {bootstrap}.", "Correct its name, or --bootstrap.")
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            deadline = time.monotonic() + seconds
            while len(values) < most and any(consumer.position(p) < ends[p] for p in partitions):
                for records in consumer.poll(500, max_records=most - len(values)).values():
                    values += [record.value for record in records if record.value]
                if time.monotonic() > deadline:
                    break
        finally:
            consumer.close(autocommit=False)
    except KafkaError as error:
        raise BrokerError(
            f"reading {topic} from {bootstrap} failed: {error}", "Check --bootstrap, and that the broker runs."
        ) from error
    if not values:
        raise BrokerError(f"topic {topic} at {bootstrap} holds no records.", "Produce some events, then try again.")
    return values
