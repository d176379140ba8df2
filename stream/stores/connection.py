"""The connection to Redis (or Valkey), and its errors in words that say where and what to do.

No message holds a password: addresses are told by host and port, and texts of others are masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stream.config.redis import RedisConfig
from stream.config.secrets import secret
from stream.errors import ConfigError, StoreError
from stream.log import masked
from stream.tls import show_certificate, trusting


def connect(config: RedisConfig) -> redis.Redis:
    """A client for the configured address. Nothing is sent yet, so it never fails for a server that is down.

    No wait for an answer is longer than `redis.timeout`. A connection that broke while idle is made anew once; anything
    else is the caller's to retry. Raises ConfigError for an address that cannot be read, options that there are not, a
    password that is missing, or files for TLS that are missing or of no use.
    """
    extra = {} if config.password is None else {"password": secret(config.password, "redis.password")}
    try:
        client = redis.Redis.from_url(
            config.url,
            socket_timeout=config.timeout,
            socket_connect_timeout=config.timeout,
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
            client_name="driftline",
            **extra,
        )
    except ValueError:
        # The cause quotes pieces of the address, the password among them.
        raise ConfigError(
            f"redis.url: {masked(config.url)!r} is not an address.", "Write it as redis://host:6379/0."
        ) from None
    _refuse_options(client, config)
    return client


def _refuse_options(client: redis.Redis, config: RedisConfig) -> None:
    """Raise ConfigError for options in the address that the client would trip over when it connects."""
    pool = client.connection_pool
    try:
        pool.connection_class(**pool.connection_kwargs)
    except TypeError as error:
        name = str(error).rpartition(" ")[2]
        raise ConfigError(
            f"redis.url: {masked(config.url)!r} has the option {name}, which this kind of address does not take.",
            "Remove it; options of TLS need an address that begins with rediss://.",
        ) from None
    except redis.RedisError as error:
        raise ConfigError(f"redis.url: {masked(config.url)!r}: {error}.") from None
    options = pool.connection_kwargs
    authority, certificate = options.get("ssl_ca_certs"), options.get("ssl_certfile")
    if authority or certificate:
        context = trusting(authority, "redis.url: ssl_ca_certs")
    if certificate:
        key, password = options.get("ssl_keyfile"), options.get("ssl_password") or ""
        show_certificate(context, certificate, key, "redis.url: ssl_certfile and ssl_keyfile", password)


def address(client: redis.Redis) -> str:
    """Where the server is: host:port, or the path of its socket."""
    options = client.connection_pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}")


@contextmanager
def redis_errors(where: str) -> Iterator[None]:
    """Turn every error of the client into a StoreError that names the server at `where` and the cure."""
    try:
        yield
    except redis.RedisError as error:
        raise StoreError(*_in_words(where, error)) from error


def as_bytes(reply: bytes | str) -> bytes:
    """A reply as the bytes that were sent. Our clients never decode; the client library's types cannot know."""
    return reply.encode() if isinstance(reply, str) else reply


def as_text(reply: bytes | str) -> str:
    """A reply as text."""
    return as_bytes(reply).decode(errors="replace")


def _in_words(where: str, error: redis.RedisError) -> tuple[str, str]:
    text = masked(str(error))
    if isinstance(error, redis.AuthenticationError):
        return f"Redis at {where} refused the log-in.", "Check the user in redis.url and redis.password."
    # What a script is denied comes as an error of the script.
    if isinstance(error, redis.exceptions.NoPermissionError) or text.startswith("ACL failure in script"):
        return (
            f"Redis at {where} does not allow this user what Driftline needs ({text}).",
            "Allow +@read +@write +@scripting +@pubsub +@connection +time on keys and channels driftline:*.",
        )
    if isinstance(error, redis.TimeoutError):
        return f"Redis at {where} gave no answer in time.", "See that it runs; if it is only slow, raise redis.timeout."
    if isinstance(error, redis.BusyLoadingError):
        return f"Redis at {where} is still loading its data.", "Wait until it is done."
    if isinstance(error, redis.ConnectionError):
        refused = "refused" in text.lower()
        return (
            f"Redis at {where} refused the connection." if refused else f"Redis at {where} is out of reach ({text}).",
            "Start it, or set redis.url to where it runs.",
        )
    if isinstance(error, redis.exceptions.OutOfMemoryError):
        return f"Redis at {where} is out of memory.", "Raise its maxmemory; never let it evict models (noeviction)."
    if isinstance(error, redis.ReadOnlyError):
        return f"Redis at {where} is a read-only replica.", "Set redis.url to the primary."
    return f"Redis at {where} answered with an error: {text}", "See the server's log."
