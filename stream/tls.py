"""TLS contexts of a client, and what is wrong with the files that they need, in words."""

from __future__ import annotations

import ssl

from stream.errors import ConfigError

_NO_AUTHORITY = "it holds no certificate in PEM"
_NO_PAIR = "it is no PEM file, key and certificate do not belong together, or the key has a password"


def trusting(ca_file: str | None, field: str) -> ssl.SSLContext:
    """A context that trusts the authorities in a file, or the system's. Raises ConfigError for a file that is missing
    or of no use; `field` is what named it.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise _unusable(field, str(ca_file), error, _NO_AUTHORITY) from error


def show_certificate(
    context: ssl.SSLContext, cert_file: str, key_file: str | None, field: str, password: str = ""
) -> None:
    """Have a context show a certificate to who asks for one. Raises ConfigError as `trusting` does, also for a key that
    `password` does not open: nobody is asked for another.
    """
    try:
        context.load_cert_chain(cert_file, key_file, password=lambda: password)
    except (OSError, ValueError) as error:
        files = f"{cert_file} with {key_file}" if key_file else cert_file
        raise _unusable(field, files, error, _NO_PAIR) from error


def _unusable(field: str, files: str, error: Exception, content: str) -> ConfigError:
    why = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else content
    return ConfigError(f"{field}: {files} cannot be used: {why}.", "Correct the path, or what is in the file.")
