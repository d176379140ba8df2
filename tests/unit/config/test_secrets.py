"""Secrets: fetched from where they are kept, refused with a reason, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config.fields import Secret
from stream.config.model import SecurityConfig
from stream.config.secrets import accepted_keys, secret, signing_key
from stream.errors import ConfigError

KEY = "0123456789abcdef0123456789abcdef"


def test_a_secret_comes_from_the_environment() -> None:
    assert secret(Secret(env="PW"), "redis.password", {"PW": "hunter2"}) == "hunter2"


def test_a_secret_comes_from_a_file_without_the_white_space_around_it(tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.write_text(" hunter2\n")

    assert secret(Secret(file=file)) == "hunter2"


def test_an_unset_variable_names_field_and_variable() -> None:
    with pytest.raises(ConfigError, match=r"^redis\.password: the environment variable PW is not set\.\n  Set PW\.$"):
        secret(Secret(env="PW"), "redis.password", {})


def test_an_empty_variable_is_no_secret() -> None:
    with pytest.raises(ConfigError, match="PW is empty"):
        secret(Secret(env="PW"), "redis.password", {"PW": ""})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file .*pw"):
        secret(Secret(file=tmp_path / "pw"))


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.write_text("\n")

    with pytest.raises(ConfigError, match="is empty"):
        secret(Secret(file=file))


def test_a_short_signing_key_is_refused_without_being_shown() -> None:
    security = SecurityConfig()

    with pytest.raises(ConfigError) as caught:
        signing_key(security, {"DRIFTLINE_SIGNING_KEY": "hunter2"})

    assert "the key has 7 characters; expected at least 32" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_old_keys_are_accepted_beside_the_signing_key() -> None:
    security = SecurityConfig(key_id="k2", old_keys={"k1": Secret(env="OLD")})

    keys = accepted_keys(security, {"DRIFTLINE_SIGNING_KEY": KEY, "OLD": KEY[::-1]})

    assert keys == {"k2": KEY.encode(), "k1": KEY[::-1].encode()}
