"""What the client's errors are called before people."""

from __future__ import annotations

import pytest
from kafka import errors
from kafka.structs import TopicPartition
from structlog.testing import capture_logs

from stream.errors import BrokerError
from stream.kafka.client import in_words, name_in_words
from stream.kafka.client.kafka_python.settings import failure
from stream.kafka.standing import Standing
from stream.telemetry import Telemetry


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.RequestTimedOutError("Request timed out after 305000 ms"), "no answer in time"),
        (errors.KafkaTimeoutError(), "no answer in time"),
        (errors.KafkaConnectionError("socket disconnected"), "no connection: socket disconnected"),
        (errors.KafkaConnectionError(OSError("unreachable")), "no connection: unreachable"),
        (errors.NodeNotReadyError(3), "no connection"),
        (errors.LeaderNotAvailableError(), "leader not available"),
        (errors.OffsetOutOfRangeError({TopicPartition("t", 0): 9}), "offset out of range"),
        (errors.SaslAuthenticationFailedError("wrong password"), "sasl authentication failed: wrong password"),
        (
            errors.SaslAuthenticationFailedError(str(errors.SaslAuthenticationFailedError("x"))),
            "sasl authentication failed: x",
        ),
        (errors.KafkaError("the listener raised"), "the listener raised"),
        (errors.KafkaError(), "it does not say why"),
        (OSError("disk full"), "disk full"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_error_is_told_in_words(error: Exception, words: str) -> None:
    assert in_words(error) == words


@pytest.mark.parametrize("name", sorted(name for name in vars(errors) if name.endswith("Error")))
def test_no_error_is_shown_by_the_name_of_its_class(name: str) -> None:
    assert name not in name_in_words(name)


def test_the_log_keeps_what_the_client_raised_beside_the_words() -> None:
    error = failure("reading from Kafka", errors.RequestTimedOutError())
    error.__cause__ = errors.RequestTimedOutError()
    with capture_logs() as logs:
        Standing(Telemetry("m")).lost(error)
    assert logs[0]["error"] == "reading from Kafka failed: no answer in time"
    assert logs[0]["cause"] == "RequestTimedOutError()"


def test_an_error_of_our_own_has_no_cause_to_tell() -> None:
    with capture_logs() as logs:
        Standing(Telemetry("m")).lost(BrokerError("the outcome of the last commit is not known"))
    assert "cause" not in logs[0]
