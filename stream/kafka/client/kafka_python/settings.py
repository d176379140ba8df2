"""What every client of kafka-python is given, and what its errors mean to us."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any, Final, Self

from kafka import KafkaAdminClient
from kafka import errors as kafka_errors

from stream.config.kafka import KafkaConfig
from stream.config.secrets import secret
from stream.errors import BrokerError
from stream.kafka.client.base import MIXED_GROUP, Fenced, Regrouped
from stream.kafka.client.limits import CONNECT_SECONDS, RECONNECT_MAX_MS
from stream.kafka.reach import NO_KAFKA, require_listener, tls_context

_FENCED = (
    kafka_errors.FencedInstanceIdError,
    kafka_errors.InvalidProducerEpochError,
    kafka_errors.ProducerFencedError,
)
_REGROUPED = (
    kafka_errors.CommitFailedError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.RebalanceInProgressError,
    kafka_errors.UnknownMemberIdError,
)


def connection(config: KafkaConfig) -> dict[str, Any]:
    """Settings common to every client: addresses, TLS and log-in."""
    settings: dict[str, Any] = {
        "bootstrap_servers": config.bootstrap_servers.split(","),
        "bootstrap_timeout_ms": int(CONNECT_SECONDS * 1000),
        "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
        "metrics_enabled": False,
    }
    if config.tls:
        settings |= {"ssl_context": tls_context(config.tls), "ssl_check_hostname": config.tls.check_hostname}
    if config.sasl:
        settings |= {
            "sasl_mechanism": config.sasl.mechanism,
            "sasl_plain_username": config.sasl.username,
            "sasl_plain_password": secret(config.sasl.password, "kafka.sasl.password"),
        }
    settings["security_protocol"] = ("SASL_" if config.sasl else "") + ("SSL" if config.tls else "PLAINTEXT")
    return settings


def admin(config: KafkaConfig) -> KafkaAdminClient:
    """An administration client. Raises `BrokerError` when no broker answers."""
    settings = connection(config)
    settings.pop("metrics_enabled")
    return connect(lambda: KafkaAdminClient(**settings), config)


def connect(make: Callable[[], Any], config: KafkaConfig) -> Any:
    """What `make` makes. Raises BrokerError when no broker answers."""
    require_listener(config)  # a client that cannot connect would leave its sockets open
    with _Overheard() as overheard:
        try:
            return make()
        except kafka_errors.KafkaError as error:
            why = overheard.reason or in_words(error)
            if config.sasl and "disconnected" in why:  # the client often misses the answer that comes before that
                why = f"{why}, as after a failed authentication (kafka.sasl)"
            raise BrokerError(
                f"no Kafka broker answered at {config.bootstrap_servers}: {why}",
                cure=NO_KAFKA,
            ) from error


def failure(doing: str, error: BaseException) -> BrokerError:
    """What to raise when `doing` something has failed."""
    kind = Fenced if isinstance(error, _FENCED) else Regrouped if isinstance(error, _REGROUPED) else BrokerError
    cure = MIXED_GROUP if isinstance(error, kafka_errors.InconsistentGroupProtocolError) else None
    return kind(f"{doing} failed: {in_words(error)}", cure)


_LATE = (kafka_errors.KafkaTimeoutError, kafka_errors.RequestTimedOutError)
_CUT_OFF = (kafka_errors.KafkaConnectionError, kafka_errors.NetworkExceptionError, kafka_errors.NodeNotReadyError)
_CLASS = re.compile(r"(?:\[Error -?\d+\] )?\b[A-Z]\w*(?:Error|Exception)\b(?:: )?")
"""What an error's text begins with, where the client put it into another error."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+")


def in_words(error: BaseException) -> str:
    """What the client's error means, for people: the names of its classes are nobody's words."""
    if not isinstance(error, kafka_errors.KafkaError):
        return str(error)
    if isinstance(error, _LATE):
        return "no answer in time"
    known = type(error) is not kafka_errors.KafkaError
    kind = "no connection" if isinstance(error, _CUT_OFF) else name_in_words(type(error).__name__) if known else ""
    inner = error.args[0] if error.args else ""
    why = in_words(inner) if isinstance(inner, BaseException) else ""
    if isinstance(inner, str):
        why = _CLASS.sub("", inner)
    return ": ".join(filter(None, (kind, why))) or "it does not say why"


def name_in_words(name: str) -> str:
    """What an error of the broker is called, for people: "leader not available"."""
    return " ".join(_WORD.findall(name.removesuffix("Error"))).lower()


_FAILED: Final = "Bootstrap connection to"
_TELLING: Final = ("authentication", "handshake")


class _Overheard(logging.Handler):
    """The reason why a connection could not be made: the client only logs it, and raises that time is up."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._reasons: list[str] = []
        self._log = logging.getLogger("kafka.net.manager")

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith(_FAILED) and isinstance(record.args, tuple):
            self._reasons += [in_words(one) for one in record.args if isinstance(one, BaseException)]

    @property
    def reason(self) -> str:
        """The first reason, or a later one that says more than that the broker hung up; empty when there was none."""
        telling = (reason for reason in self._reasons if any(word in reason.lower() for word in _TELLING))
        return next(telling, self._reasons[0] if self._reasons else "")

    def __enter__(self) -> Self:
        self._before = self._log.level, self._log.propagate
        if not self._log.isEnabledFor(logging.WARNING):
            self._log.setLevel(logging.WARNING)
            self._log.propagate = False
        self._log.addHandler(self)
        return self

    def __exit__(self, *exc: object) -> None:
        self._log.removeHandler(self)
        level, self._log.propagate = self._before
        self._log.setLevel(level)
