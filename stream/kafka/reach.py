"""Whether the broker can be reached at its addresses: the first question, with a better answer than the clients give.

They try for seconds, say "unable to bootstrap", and leave a thread and their sockets behind, those of a refused
certificate too; this says at once which address does what.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from stream.config.kafka import KafkaConfig, TlsConfig
from stream.errors import BrokerError
from stream.tls import show_certificate, trusting

NO_KAFKA: Final = (
    "Something listens there, but did not answer as Kafka does. Check the port in kafka.bootstrap_servers, and whether "
    "the broker wants kafka.tls or kafka.sasl."
)
"""The cure where somebody listens, and a client could not speak with it."""

_SECONDS = 3.0


def require_listener(config: KafkaConfig) -> None:
    """Raise BrokerError unless somebody listens at one of the addresses, with a certificate we trust if there is TLS.

    That it is Kafka, and lets us in, is found out by the client.
    """
    problems: dict[str, OSError] = {}
    encryption = tls_context(config.tls) if config.tls else None
    for address in config.bootstrap_servers.split(","):
        name, _, port = address.strip().rpartition(":")
        host = name.strip("[]")
        try:
            with socket.create_connection((host, int(port)), timeout=_SECONDS) as connection:
                if encryption:
                    encryption.wrap_socket(connection, server_hostname=host).close()
        except OSError as error:
            problems[address.strip()] = error
        else:
            return
    cure = "Check kafka.bootstrap_servers, and that the broker runs and can be reached from here."
    if any(isinstance(error, ssl.SSLError) for error in problems.values()):
        cure = "Check kafka.tls, and that the port in kafka.bootstrap_servers is one at which the broker speaks TLS."
    told = ", ".join(f"{address} ({_words(error)})" for address, error in problems.items())
    raise BrokerError(f"no Kafka broker answered at {told}", cure)


def tls_context(tls: TlsConfig) -> ssl.SSLContext:
    """What Python's ssl needs to speak with the broker. Raises ConfigError for a file that is missing or of no use."""
    context = trusting(tls.ca_file, "kafka.tls.ca_file")
    context.check_hostname = tls.check_hostname
    if tls.cert_file:
        show_certificate(context, tls.cert_file, tls.key_file, "kafka.tls.cert_file and key_file")
    return context


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: certificate not trusted, {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS handshake: {(error.reason or str(error)).lower().replace('_', ' ')}"
    if isinstance(error, TimeoutError):
        return f"no answer in {_SECONDS:g} s"
    if isinstance(error, socket.gaierror):
        return "no such host"
    return (error.strerror or str(error)).lower()
