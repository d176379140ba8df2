"""Ports on loopback: finding free ones, refusing taken ones."""

from __future__ import annotations

import random
import socket

from stream.embedded.errors import PortInUseError

HOST = "127.0.0.1"

# Below the ranges from which Linux (32768 up) and macOS (49152 up) draw the ports of outgoing connections. A port found
# with bind(0) comes from those ranges and may be taken by any connection in the seconds until the server binds it.
_CANDIDATES = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier listener that linger in TIME_WAIT do not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on `port` of loopback."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port of loopback on which nobody listens, drawn at random so that two callers hardly ever draw the same."""
    for port in random.sample(_CANDIDATES, 200):
        if is_free(port):
            return port
    raise PortInUseError(
        f"No free port on {HOST}: 200 ports drawn from {_CANDIDATES.start} to {_CANDIDATES.stop - 1} are all in use.",
        cure="Name a free one.",
    )


def require_free(port: int, server: str) -> None:
    """Raise `PortInUseError` when `server` could not listen on `port` (1 to 65535)."""
    if not 1 <= port <= 65_535:
        raise PortInUseError(
            f"Port for {server}: got {port}; expected 1 to 65535.", cure="Leave it out to get a free one."
        )
    if not is_free(port):
        raise PortInUseError(
            f"Port {port} on {HOST} is in use by another program (or reserved); {server} cannot listen there.",
            cure="Stop that program, name another port, or leave the port out to get a free one.",
        )
