"""What can go wrong with the embedded servers."""

from __future__ import annotations

from stream.errors import InfrastructureError


class EmbeddedError(InfrastructureError):
    """An embedded server cannot do what was asked."""


class MissingExtraError(EmbeddedError):
    """A package of the extra `embedded` is not installed, or has nothing for this machine."""


class FetchError(EmbeddedError):
    """The jars of Apache Kafka could not be fetched."""


class JarsRefusedError(EmbeddedError):
    """The cached jars of Apache Kafka are not exactly those whose checksums come with Driftline."""


class PortInUseError(EmbeddedError):
    """Nobody can listen on the wanted port: another program does, or it is no port."""


class DataDirError(EmbeddedError):
    """The data directory cannot be made or written, or another running server owns it."""


class StartError(EmbeddedError):
    """A server ended, or gave no answer in time, while it was starting."""
