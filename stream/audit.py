"""The audit trail: who changed what by hand, when, from where, and how it was before and after.

Nothing is changed unless the trail says first that it was asked for. What came of it is said afterwards, under the same
id. Records are JSON, keyed by the app, on `topics.audit`.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec
import structlog

from learners.artifacts import ArtifactError
from stream.config.model import Config
from stream.errors import BrokerError, ConfigError, DriftlineError, ModelError
from stream.kafka.client import Outgoing, Producer, make_producer
from stream.kafka.sender import Sender
from stream.stores.base import Conflict, UnknownVersion

log = structlog.get_logger()

T = TypeVar("T")

Outcome: TypeAlias = Literal["asked", "done", "refused", "failed"]
"""What a record tells: that a change is about to be made; that it was; that it cannot be; that it may not have been."""

Via: TypeAlias = Literal["api", "command line"]
"""Which way a change came: by the API, of which the page is a part, or by a command of `driftline`."""

TIMEOUT = 5.0
"""Longest wait for the broker to take a record, in seconds."""

_REFUSALS = (Conflict, UnknownVersion, ConfigError, ModelError, ArtifactError)


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the trail. A change has two with the same `id`: "asked", then what came of it.

    `ts` is seconds since the epoch; `role` and `ip` are those of a caller of the API, and empty for the command line,
    of which `who` is user@host; `action` is what was done, such as "models.promote"; `target` to what, such as "model
    flights version 7"; `reason` is the caller's; `detail` says why it was refused or failed.
    """

    id: str
    ts: float
    who: str
    role: str
    ip: str
    action: str
    target: str
    outcome: Outcome
    before: Any = None
    after: Any = None
    reason: str = ""
    detail: str = ""
    via: Via = "api"


class Trail(Protocol):
    """Where records of the audit go. Safe to use from several threads."""

    def write(self, entry: AuditEntry) -> None:
        """Write a record. It is safe when this returns. Raises BrokerError, and then it may have been written."""

    def close(self) -> None:
        """Let go of the broker."""


class Author(NamedTuple):
    """Who asks for a change, and from where. See `AuditEntry`."""

    name: str
    role: str = ""
    ip: str = ""
    via: Via = "api"


class Change(msgspec.Struct, frozen=True):
    """What somebody asks to be changed."""

    author: Author
    action: str
    target: str
    before: Any = None
    reason: str = ""


def audited(
    trail: Trail,
    change: Change,
    make: Callable[[], T],
    after: Callable[[T], Any],
    clock: Callable[[], float] = time.time,
) -> tuple[T, str]:
    """Make a change, with its two records around it. Returns what `make` returned, and the id of the records; `after`
    says of that how things are now.

    Raises what `make` raises, and BrokerError when the change could not be announced: then it was not made. That an
    outcome cannot be written is logged, with the whole record.
    """
    entry = AuditEntry(
        id=uuid.uuid4().hex,
        ts=clock(),
        who=change.author.name,
        role=change.author.role,
        ip=change.author.ip,
        via=change.author.via,
        action=change.action,
        target=change.target,
        outcome="asked",
        before=change.before,
        reason=change.reason,
    )

    def conclude(outcome: Outcome, detail: str = "", after: Any = None) -> None:
        told = msgspec.structs.replace(entry, ts=clock(), outcome=outcome, detail=detail, after=after)
        try:
            trail.write(told)
        except DriftlineError as error:
            log.error("audit_incomplete", error=error.message, entry=msgspec.to_builtins(told))

    try:
        trail.write(entry)
    except BrokerError as error:
        raise BrokerError(
            f"Nothing was changed: the audit trail cannot be written. {error.message}", error.cure
        ) from error
    try:
        made = make()
    except Exception as error:
        refused = isinstance(error, _REFUSALS)
        told = error.message if isinstance(error, DriftlineError) else str(error)
        known = refused or isinstance(error, DriftlineError)
        conclude("refused" if refused else "failed", told if known else "a fault; see the log")
        raise
    conclude("done", after=after(made))
    return made, entry.id


class TopicTrail:
    """The trail on the audit topic, through a producer of its own that is made when it is first needed."""

    def __init__(self, config: Config, connect: Callable[[], Producer] | None = None, timeout: float = TIMEOUT) -> None:
        assert config.topics.audit is not None  # the model names it
        self._topic = config.topics.audit
        self._key = config.app.encode()
        self._sender = Sender(connect or (lambda: make_producer(config.kafka)))
        self._timeout = timeout
        self._lock = threading.Lock()

    def write(self, entry: AuditEntry) -> None:
        record = Outgoing(self._topic, self._key, msgspec.json.encode(entry), [("content-type", b"application/json")])
        if not self._lock.acquire(timeout=self._timeout):
            raise BrokerError(f"topic {self._topic}: the broker is slow to take what others have written before")
        try:
            self._sender.send(record, self._timeout)
        except BrokerError as error:
            raise BrokerError(
                f"topic {self._topic}: the broker did not take a record: {error.message}",
                "See that the topic is there and may be written: `driftline check -c FILE --connect`.",
            ) from error
        finally:
            self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._sender.close(self._timeout)
