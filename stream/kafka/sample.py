"""Reading a few records of a topic, as an onlooker: no group is joined, nothing is committed."""

from __future__ import annotations

import time
from contextlib import closing

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError
from stream.kafka.client import LogReader, NoTopicError, make_log_reader


def oldest_values(bootstrap: str, topic: str, most: int, seconds: float) -> list[bytes]:
    """Values of the oldest records of all partitions, at most `most`, waiting at most `seconds` for more of them.

    Raises BrokerError if no broker answers, or the topic is not there or holds nothing.
    """
    with closing(make_log_reader(KafkaConfig(bootstrap_servers=bootstrap))) as log:
        try:
            values = _oldest(log, topic, most, seconds)
        except NoTopicError:
            raise BrokerError(
                f"topic {topic} does not exist at {bootstrap}.", "Correct its name, or --bootstrap."
            ) from None
    if not values:
        raise BrokerError(f"topic {topic} at {bootstrap} holds no records.", "Produce some events, then try again.")
    return values


def _oldest(log: LogReader, topic: str, most: int, seconds: float) -> list[bytes]:
    held = {(topic, number): log.bounds(topic, number) for number in log.partitions(topic)}
    log.start({tp: first for tp, (first, _) in held.items()})
    values: list[bytes] = []
    deadline = time.monotonic() + seconds
    while len(values) < most and not all(log.has_passed(*tp, end) for tp, (_, end) in held.items()):
        for records in log.poll(0.5, most - len(values)).values():
            values += [record.value for record in records if record.value]
        if time.monotonic() > deadline:
            break
    return values
