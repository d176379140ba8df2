from __future__ import annotations

import pytest
import redis

from stream.config.fields import Secret
from stream.config.redis import RedisConfig
from stream.errors import ConfigError, StoreError
from stream.stores.connection import address, connect, redis_errors


def test_the_password_comes_from_where_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "hunter2")
    client = connect(RedisConfig(url="redis://localhost:7000/3", password=Secret(env="REDIS_PASSWORD")))
    options = client.connection_pool.connection_kwargs
    assert (options["password"], options["port"], options["db"]) == ("hunter2", 7000, 3)


def test_no_answer_is_waited_for_longer_than_the_timeout() -> None:
    options = connect(RedisConfig(url="redis://localhost", timeout=0.7)).connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.7, 0.7)


def test_an_address_that_cannot_be_read_is_told_without_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        connect(RedisConfig(url="redis://bob:hunter2@host:port/0"))
    assert str(caught.value) == (
        "redis.url: 'redis://***@host:port/0' is not an address.\n  Write it as redis://host:6379/0."
    )
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://bob:hunter2@store.example:7000/0", "store.example:7000"),
        ("redis://localhost", "localhost:6379"),
        ("rediss://store.example", "store.example:6379"),
        ("unix:///run/redis.sock?password=hunter2", "/run/redis.sock"),
    ],
)
def test_the_address_of_a_server_holds_no_secret(url: str, where: str) -> None:
    assert address(connect(RedisConfig(url=url))) == where


@pytest.mark.parametrize(
    ("error", "message", "cure"),
    [
        (
            redis.ConnectionError("Error 111 connecting to h:1. Connection refused."),
            "refused the connection",
            "Start it",
        ),
        (redis.ConnectionError("Error -2 connecting to h:1. Name not known."), "is out of reach", "redis.url"),
        (redis.TimeoutError("Timeout reading from socket"), "gave no answer in time", "redis.timeout"),
        (redis.AuthenticationError("WRONGPASS"), "refused the log-in", "redis.password"),
        (redis.exceptions.NoPermissionError("no permission"), "does not allow this user", "+@scripting"),
        (redis.BusyLoadingError("loading"), "is still loading", "Wait"),
        (redis.exceptions.OutOfMemoryError("OOM"), "is out of memory", "maxmemory"),
        (redis.ReadOnlyError("replica"), "is a read-only replica", "primary"),
        (redis.ResponseError("MISCONF disk"), "answered with an error: MISCONF disk", "log"),
    ],
)
def test_every_error_names_the_server_and_the_cure(error: redis.RedisError, message: str, cure: str) -> None:
    with pytest.raises(StoreError) as caught, redis_errors("host:6379"):
        raise error
    assert caught.value.message.startswith("Redis at host:6379 ")
    assert message in caught.value.message
    assert caught.value.cure is not None
    assert cure in caught.value.cure


def test_an_error_that_quotes_an_address_is_masked() -> None:
    with pytest.raises(StoreError) as caught, redis_errors("host:6379"):
        raise redis.ResponseError("cannot replicate from redis://bob:hunter2@other:6379")
    assert "hunter2" not in str(caught.value)


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), redis_errors("host:6379"):
        raise ZeroDivisionError
