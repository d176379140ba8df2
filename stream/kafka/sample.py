"""Reading a few records of a topic, as an onlooker: no group is joined, nothing is committed."""

from __future__ import annotations

import time
from contextlib import closing
from typing import NamedTuple

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError
from stream.kafka.client import LogReader, NoTopicError, make_log_reader


class Sampled(NamedTuple):
    """A record that has a value. `time` is when it was produced, in seconds since the epoch."""

    value: bytes
    time: float


def oldest(bootstrap: str, topic: str, most: int, seconds: float) -> list[Sampled]:
    """The oldest records of all partitions, at most `most`, waiting at most `seconds` for more of them.

    Raises BrokerError if no broker answers, or the topic is not there or holds nothing.
    """
    with closing(make_log_reader(KafkaConfig(bootstrap_servers=bootstrap))) as log:
        try:
            records = _oldest(log, topic, most, seconds)
        except NoTopicError:
            raise BrokerError(
                f"topic {topic} does not exist at {bootstrap}.", "Correct its name, or --bootstrap."
            ) from None
    if not records:
        raise BrokerError(f"topic {topic} at {bootstrap} holds no records.", "Produce some events, then try again.")
    return records


def _oldest(log: LogReader, topic: str, most: int, seconds: float) -> list[Sampled]:
    held = {(topic, number): log.bounds(topic, number) for number in log.partitions(topic)}
    log.start({tp: first for tp, (first, _) in held.items()})
    found: list[Sampled] = []
    deadline = time.monotonic() + seconds
    while len(found) < most and not all(log.has_passed(*tp, end) for tp, (_, end) in held.items()):
        for records in log.poll(0.5, most - len(found)).values():
            found += [Sampled(record.value, max(record.timestamp, 0) / 1000) for record in records if record.value]
        if time.monotonic() > deadline:
            break
    return found
