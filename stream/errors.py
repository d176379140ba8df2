"""What can go wrong, by whose move it is: the user's configuration, a record, a model, the broker, or the store.

The command line prints these as one message and its cure, never as a stack trace, and leaves with `exit_code`.
Anything else that reaches it is a fault of Driftline.
"""

from __future__ import annotations

from typing import ClassVar


class DriftlineError(Exception):
    """Something a person can act on.

    `message` says what is wrong, what was found and what is allowed; `cure`, when one is known, says what to do.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, cure: str | None = None) -> None:
        super().__init__(message, cure)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return self.message if self.cure is None else f"{self.message}\n  {self.cure}"


class ConfigError(DriftlineError):
    """The configuration, or the command line, cannot be used as it stands. The user has to change it."""

    exit_code: ClassVar[int] = 2


class DataError(DriftlineError):
    """What was read (a sample, a file of records) cannot be used. Its producer has to change it."""


class ModelError(DriftlineError):
    """A model cannot be trusted, read or run. The service goes on with the model it has."""


class InfrastructureError(DriftlineError):
    """Something outside this process failed. Trying again later may help; changing records or models will not."""


class BrokerError(InfrastructureError):
    """Kafka is out of reach, refuses us, or its topics are not as the service needs them."""


class StoreError(InfrastructureError):
    """The model store (Redis) or the snapshot store is out of reach or refuses us."""
