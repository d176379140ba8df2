"""Looking at everything outside a service that it needs, before it starts: keys, secrets and files that it names, the
identity provider, Kafka and its topics, Redis, the profile that its detectors start with, and the directory of its
snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from stream.config.fields import Secret
from stream.config.model import Config
from stream.config.secrets import secret
from stream.config.trust import faults_of, require_signing, trust_of
from stream.config.web import HttpConfig, JwtConfig
from stream.errors import ConfigError, DriftlineError
from stream.kafka.client import admin
from stream.kafka.topics import Finding, ensure_topics, inspect_topics
from stream.stores.connection import address, connect, redis_errors
from stream.stores.opening import open_basis
from stream.web.access import TokensFile
from stream.web.provider import Provider
from stream.web.server import certificate
from stream.webhooks.posting import url_of

_SCRIPT = "redis.call('TIME') return redis.call('EXISTS', KEYS[1])"
"""What the scripts of the store do that their users are most easily not allowed: they ask for the time."""


def look(config: Config, *, create_topics: bool = False, partitions: int | None = None) -> Iterator[Finding]:
    """One finding after the other, as they come. Changes nothing unless it is told to create missing topics.

    What fails hides only what depends on it: with Kafka down, Redis is looked at all the same.
    """
    yield from _until_failure(lambda: _keys(config))
    yield from _webhooks(config)
    yield from _web(config.http, ask=True)
    yield from _until_failure(lambda: _kafka(config, create_topics, partitions))
    yield from _until_failure(lambda: _redis(config))
    yield from _until_failure(lambda: _profile(config))
    yield from _until_failure(lambda: _snapshots(config))


def look_at_files(config: Config) -> Iterator[Finding]:
    """The findings for which nothing need run: on keys, on the secrets of webhooks, and on what the page and the API
    need; none where the file names none.
    """
    if "security" in config.model_fields_set:
        yield from _until_failure(lambda: _keys(config))
    yield from _webhooks(config)
    yield from _web(config.http, ask=False)


def _until_failure(findings: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from findings()
    except DriftlineError as error:
        yield Finding(False, error.message, error.cure)


def _keys(config: Config) -> Iterator[Finding]:
    faults = [Finding(False, error.message, error.cure) for error in faults_of(config.security)]
    if faults:
        yield from faults
        return
    trust = trust_of(config.security)
    require_signing(trust)
    others = len(trust.keys.ids) - 1
    also = f", and {others} other{'s are' if others > 1 else ' is'} accepted" if others else ""
    yield Finding(True, f"signing key {config.security.key_id} is there{also}")
    if trust.encryption is not None:
        also = "; what is not encrypted is read too" if not trust.keys.encrypted_only else ""
        yield Finding(True, f"encryption key {trust.encryption.id} is there{also}")


def _webhooks(config: Config) -> Iterator[Finding]:
    """Of each webhook, whether its address and its secret are there, if they are kept elsewhere."""
    for place, hook in enumerate(config.webhooks):
        path = f"webhooks[{place}]"
        if isinstance(hook.url, Secret):
            yield from _there(f"{path}.url", partial(url_of, hook, path))
        if hook.secret is not None:
            yield from _there(f"{path}.secret", partial(secret, hook.secret, f"{path}.secret"))


def _web(http: HttpConfig, *, ask: bool) -> Iterator[Finding]:
    """Whether the files that `http` names can be used and, if it is to be asked, whether the identity provider tells
    its keys.
    """
    auth = http.auth
    if http.tls is not None:
        yield from _there("http.tls: a certificate with its key", partial(certificate, http.tls))
    if auth.tokens_file is not None:
        yield from _there(f"http.auth.tokens_file: {auth.tokens_file}", partial(TokensFile, auth))
    if auth.jwt is not None:
        yield from _until_failure(partial(_provider, auth.jwt, ask=ask))


def _provider(jwt: JwtConfig, *, ask: bool) -> Iterator[Finding]:
    provider = Provider(jwt)
    if ask:
        count = provider.look()
        yield Finding(True, f"the identity provider {jwt.issuer} has {count} key{'' if count == 1 else 's'}")


def _there(what: str, get: Callable[[], object]) -> Iterator[Finding]:
    """That something is there, unless getting it fails."""

    def findings() -> Iterator[Finding]:
        get()
        yield Finding(True, f"{what} is there")

    yield from _until_failure(findings)


def _kafka(config: Config, create_topics: bool, partitions: int | None) -> Iterator[Finding]:
    client = admin(config.kafka)
    try:
        yield Finding(True, f"Kafka answers at {config.kafka.bootstrap_servers}")
        if create_topics:
            for name in ensure_topics(client, config.topics, partitions):
                yield Finding(True, f"topic {name} was created")
        yield from inspect_topics(client, config.topics, readers(config))
    finally:
        client.close()


def readers(config: Config) -> dict[str, list[str]]:
    """Who reads outputs of a service again, by topic: the worker itself does without."""
    page = [] if config.http.closed else ["the page and the API"]
    webhooks = ["webhooks"] if config.webhooks else []
    topics = config.topics
    return {topics.predictions: page, topics.dead_letters: page, topics.alerts: page + webhooks}


def _redis(config: Config) -> Iterator[Finding]:
    client = connect(config.redis)
    where = address(client)
    try:
        with redis_errors(where):
            client.ping()
        yield Finding(True, f"Redis answers at {where}")
        with redis_errors(where):
            client.eval(_SCRIPT, 1, f"driftline:{config.app}:models")
        yield Finding(True, f"Redis runs scripts on driftline:{config.app}:*")
    finally:
        client.close()


def _profile(config: Config) -> Iterator[Finding]:
    profile = open_basis(config).profile
    if profile is not None:
        yield Finding(True, f"the profile has {len(profile.times):,} events of {profile.source}")


def _snapshots(config: Config) -> Iterator[Finding]:
    """What a worker will refuse at its start, found before it."""
    if config.runtime.snapshot_directory is None:
        return
    directory = Path(config.runtime.snapshot_directory).absolute()
    field = "runtime.snapshot_directory"
    if not directory.is_dir():
        found = "is not a directory" if directory.exists() else "is not there"
        raise ConfigError(
            f"{field}: {directory} {found}.",
            "Create it, or mount the volume it belongs to; or remove the field to keep snapshots in Redis.",
        )
    own = directory / config.app
    try:
        with TemporaryDirectory(prefix=".probe.", dir=own if own.exists() else directory) as probe:
            Path(probe, "snapshot").write_bytes(b"driftline")
    except OSError as error:
        raise ConfigError(
            f"{field}: nothing can be written to {own} ({error.strerror}).",
            "Let this user write there, name another directory, or remove the field to keep snapshots in Redis.",
        ) from error
    yield Finding(True, f"snapshots can be written to {own}")
