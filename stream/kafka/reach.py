"""Whether anybody listens at the broker's addresses: the first question, with a better answer than the client gives.

The client tries for seconds, says "unable to bootstrap", and leaves a thread and its sockets behind; this says at once
which address does what.
"""

from __future__ import annotations

import socket

from stream.errors import BrokerError

_SECONDS = 3.0


def require_listener(bootstrap: str) -> None:
    """Raise BrokerError unless somebody listens at one of these addresses (host:port, by commas)."""
    problems: list[str] = []
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
        except OSError as error:
            problems.append(f"{address.strip()} ({_words(error)})")
        else:
            return
    raise BrokerError(
        f"no Kafka broker answered at {', '.join(problems)}",
        "Check kafka.bootstrap_servers, and that the broker runs and can be reached from here.",
    )


def _words(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {_SECONDS:g} s"
    if isinstance(error, socket.gaierror):
        return "no such host"
    return (error.strerror or str(error)).lower()
