"""What every client of confluent-kafka is given, and what its errors mean to us."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException

from stream.config.kafka import KafkaConfig
from stream.config.secrets import secret
from stream.errors import BrokerError
from stream.kafka.client.base import MIXED_GROUP, Fenced, Regrouped
from stream.kafka.client.limits import CONNECT_SECONDS, RECONNECT_MAX_MS
from stream.kafka.reach import NO_KAFKA, require_listener

LOGGER = logging.getLogger("kafka.librdkafka")
"""The library's own lines, which would go to stderr. Like kafka-python's they show at level debug only: see
`stream.log`."""

_FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
    }
)
_REGROUPED = frozenset(
    {
        KafkaError._ASSIGNMENT_LOST,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.UNKNOWN_MEMBER_ID,
    }
)

RAISED = (KafkaException, SystemError)
"""What the client raises: the second when it finds a fatal error in the middle of telling another."""

T = TypeVar("T")


class Trouble:
    """The last thing a client said was wrong: the reason behind the time-outs that follow."""

    def __init__(self) -> None:
        self._last = ""

    def note(self, error: KafkaError) -> None:
        """Take an error from the client (its `error_cb`)."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # says less than what came before it
            self._last = error.str()

    def __str__(self) -> str:
        return f" ({self._last})" if self._last else ""


def connection(config: KafkaConfig, trouble: Trouble) -> dict[str, Any]:
    """Settings common to every client: addresses, TLS and log-in."""
    settings: dict[str, Any] = {
        "bootstrap.servers": config.bootstrap_servers,
        "reconnect.backoff.max.ms": RECONNECT_MAX_MS,
        "logger": LOGGER,
        "error_cb": trouble.note,
        "security.protocol": ("SASL_" if config.sasl else "") + ("SSL" if config.tls else "PLAINTEXT"),
    }
    if config.tls:
        settings["ssl.endpoint.identification.algorithm"] = "https" if config.tls.check_hostname else "none"
        files = {"ca": config.tls.ca_file, "certificate": config.tls.cert_file, "key": config.tls.key_file}
        settings |= {f"ssl.{name}.location": file for name, file in files.items() if file}
    if config.sasl:
        settings |= {
            "sasl.mechanism": config.sasl.mechanism,
            "sasl.username": config.sasl.username,
            "sasl.password": secret(config.sasl.password, "kafka.sasl.password"),
        }
    return settings


def connect(make: Callable[[], T], config: KafkaConfig, trouble: Trouble) -> T:
    """What `make` makes, when it has reached a broker. Raises BrokerError when none answers."""
    require_listener(config)
    try:
        client: Any = make()
    except KafkaException as error:
        raise _unreachable(config, str(trouble) or f" ({reason(error).str()})") from error
    try:
        # Asks for metadata at once; a client left to itself may first sleep for a second. There is no such topic, and
        # no broker will create it.
        client.list_topics("?", timeout=CONNECT_SECONDS)
    except KafkaException as error:
        client.poll(0.0)  # hands over what went wrong
        client.close()
        raise _unreachable(config, str(trouble) or f" ({reason(error).str()})") from error
    made: T = client
    return made


def reason(error: BaseException) -> KafkaError:
    """The error inside an exception of `RAISED`; of no known kind when there is none inside."""
    inner = error if isinstance(error, KafkaException) else error.__cause__
    return inner.args[0] if isinstance(inner, KafkaException) else KafkaError(KafkaError._FAIL, str(error))


def failure(doing: str, error: KafkaError, trouble: Trouble) -> BrokerError:
    """What to raise when `doing` something has failed."""
    code = error.code()
    kind = Fenced if code in _FENCED else Regrouped if code in _REGROUPED else BrokerError
    told = str(trouble) if code in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT) else ""
    cure = MIXED_GROUP if code == KafkaError.INCONSISTENT_GROUP_PROTOCOL else None
    return kind(f"{doing} failed: {error.str()}{told}", cure)


def _unreachable(config: KafkaConfig, why: str) -> BrokerError:
    return BrokerError(
        f"no Kafka broker answered at {config.bootstrap_servers}{why}",
        cure=NO_KAFKA,
    )
