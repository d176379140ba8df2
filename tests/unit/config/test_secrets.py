"""Secrets: fetched from where they are kept, refused with a reason, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config.fields import Secret
from stream.config.secrets import secret
from stream.errors import ConfigError


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
