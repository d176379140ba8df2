"""Handing outputs over and committing what they stand for: exactly once, or at least once.

Whatever is sent between two commits belongs together, journal entries included. Nothing of it is forgotten before it is
committed: a commit that fails is called again with the same positions. A commit takes the broker longer than anything
else, so the work on what comes next goes on beside it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from stream.config.model import Config
from stream.kafka.client import Consumer, make_producer, make_transactional_producer
from stream.kafka.delivery.at_least_once import AtLeastOnce
from stream.kafka.delivery.base import Delivery
from stream.kafka.delivery.exactly_once import ExactlyOnce

__all__ = ["AtLeastOnce", "Delivery", "ExactlyOnce", "delivery_of"]


def delivery_of(config: Config, consumer: Callable[[], Consumer]) -> Delivery:
    """The delivery that is configured, connected. Raises BrokerError when no broker answers, ConfigError."""
    kafka = config.kafka
    if config.delivery == "at_least_once":
        return AtLeastOnce(lambda: make_producer(kafka), consumer)
    name = f"{config.group}-{kafka.instance or uuid.uuid4().hex}"
    return ExactlyOnce(lambda timeout: make_transactional_producer(kafka, name, timeout), consumer)
