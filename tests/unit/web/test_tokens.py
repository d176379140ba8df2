"""Tokens: in the configuration, in a file, and made by the command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter
from structlog.testing import capture_logs
from typer.testing import CliRunner

from stream.cli.commands import app
from stream.config.web import HttpConfig, Role, TokenConfig
from stream.errors import ConfigError
from stream.web.access import Access, sha256
from stream.web.errors import Refused


def entry(name: str, token: str, role: str = "operator") -> dict[str, str]:
    return {"name": name, "role": role, "sha256": sha256(token)}


def write(file: Path, *entries: dict[str, str]) -> None:
    """Write a file of tokens, with a time that no write before it had."""
    before = file.stat().st_mtime_ns if file.exists() else 0
    file.write_text(yaml.safe_dump(list(entries)))
    os.utime(file, ns=(before + 1_000_000, before + 1_000_000))


def access(file: Path, *tokens: dict[str, str]) -> Access:
    auth = {"tokens": list(tokens), "tokens_file": str(file), "everybody": None}
    return Access(HttpConfig.model_validate({"auth": auth}))


def role(access: Access, token: str) -> Role | None:
    """What a token allows; None: it is refused."""
    try:
        return access.caller(f"Bearer {token}", "127.0.0.1", forwarded=False).role
    except Refused:
        return None


def test_tokens_of_the_file_count_beside_those_of_the_configuration(tmp_path: Path) -> None:
    write(tmp_path / "tokens.yaml", entry("anna", "a"))
    both = access(tmp_path / "tokens.yaml", entry("ben", "b", "viewer"))
    assert (role(both, "a"), role(both, "b"), role(both, "c")) == (Role.OPERATOR, Role.VIEWER, None)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "tokens.yaml"
    write(file, entry("anna", "a"))
    both = access(file)
    write(file, entry("anna", "a2"), entry("clara", "c", "admin"))
    assert (role(both, "a"), role(both, "a2"), role(both, "c")) == (None, Role.OPERATOR, Role.ADMIN)


def test_a_file_of_the_same_time_and_length_is_read_too_when_it_took_the_place_of_the_other(tmp_path: Path) -> None:
    file, other = tmp_path / "tokens.yaml", tmp_path / "other.yaml"
    write(file, entry("anna", "a"))
    write(other, entry("anna", "b"))
    both = access(file)
    os.utime(other, ns=(file.stat().st_mtime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert (role(both, "a"), role(both, "b")) == (None, Role.OPERATOR)


@pytest.mark.parametrize("content", ["- {name: anna", "- {name: anna, role: queen, sha256: x}", "anna: operator", None])
def test_while_the_file_cannot_be_used_none_of_its_tokens_counts(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "tokens.yaml"
    write(file, entry("anna", "a"))
    both = access(file, entry("ben", "b"))
    assert role(both, "a") is Role.OPERATOR

    with capture_logs() as said:
        if content is None:
            file.unlink()
        else:
            file.write_text(content)
            os.utime(file, ns=(9_000_000, 9_000_000))
        assert (role(both, "a"), role(both, "b")) == (None, Role.OPERATOR)
        assert role(both, "a") is None
    assert [line["event"] for line in said] == ["tokens_not_read"]

    write(file, entry("anna", "a"))
    assert role(both, "a") is Role.OPERATOR


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("- {name: anna", "is not YAML"),
        ("- {name: anna, role: queen, sha256: x}", r"0\.role: "),
        ("anna: operator", "the file: Input should be a valid list"),
        (None, "cannot be read: No such file"),
        ("# " + "x" * 1_048_576, "is longer than 1,048,576 characters"),
    ],
    ids=["cut off", "no role", "no list", "not there", "too long"],
)
def test_a_file_that_cannot_be_used_is_told_at_the_start(tmp_path: Path, content: str | None, complaint: str) -> None:
    file = tmp_path / "tokens.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=rf"http\.auth\.tokens_file: .*{complaint}"):
        access(file)


def test_a_name_stands_for_one_token(tmp_path: Path) -> None:
    write(tmp_path / "tokens.yaml", entry("anna", "a"))
    with pytest.raises(ConfigError, match="'anna' stands for two tokens"):
        access(tmp_path / "tokens.yaml", entry("anna", "b"))

    write(tmp_path / "tokens.yaml", entry("anna", "a"), entry("anna", "b"))
    with pytest.raises(ConfigError, match="'anna' stands for two tokens"):
        access(tmp_path / "tokens.yaml")


def test_what_stands_in_the_place_of_a_digest_is_not_told_on(tmp_path: Path) -> None:
    write(tmp_path / "tokens.yaml", {"name": "anna", "role": "operator", "sha256": "the token itself"})
    with pytest.raises(ConfigError) as caught:
        access(tmp_path / "tokens.yaml")
    assert "the token itself" not in caught.value.message


def test_the_digest_of_a_token_is_no_token(tmp_path: Path) -> None:
    write(tmp_path / "tokens.yaml", entry("anna", "a"))
    assert role(access(tmp_path / "tokens.yaml"), sha256("a")) is None


def test_an_address_that_all_reach_with_no_token_known_lets_nobody_in() -> None:
    assert HttpConfig(host="0.0.0.0").closed
    assert not HttpConfig().closed


def test_the_command_makes_a_token_and_what_the_configuration_keeps_of_it() -> None:
    done = CliRunner().invoke(app, ["tokens", "new", "--name", "Anna Berg: on call", "--role", "operator"])
    assert done.exit_code == 0
    first, _, *rest = done.output.splitlines()
    token = first.rpartition(" ")[2]
    (kept,) = TypeAdapter(list[TokenConfig]).validate_python(yaml.safe_load("\n".join(rest)))
    assert (kept.name, kept.role, kept.sha256) == ("Anna Berg: on call", Role.OPERATOR, sha256(token))
    assert token not in "\n".join(rest)
    assert len(token) > 40


def test_no_two_tokens_are_the_same() -> None:
    made = {CliRunner().invoke(app, ["tokens", "new", "--name", "x"]).output for _ in range(3)}
    assert len(made) == 3
