"""Changes by commands are in the audit, on a real broker; and what becomes of them while it is away."""

from __future__ import annotations

import pickle
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from stream.audit import AuditEntry
from stream.cli.commands import app
from stream.config.load import load
from stream.errors import BrokerError
from stream.profile import encode
from stream.stores.holdings import holdings
from stream.stores.registry import ModelStore
from tests.integration.store.conftest import AUDIT, ON_ONE_SERVER, serving
from tests.integration.store.test_models_bringing import notebook
from tests.integration.store.test_models_cli import two_versions
from tests.integration.store.test_profiles import PROFILE
from tests.integration.support.outside import opened

__all__ = ["two_versions"]
pytestmark = ON_ONE_SERVER


class Trail:
    """What a command adds to the audit."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._before = len(self._read())

    def added(self) -> list[AuditEntry]:
        return [msgspec.json.decode(value, type=AuditEntry) for value in self._read()[self._before :]]

    def _read(self) -> list[bytes]:
        with opened(self._bootstrap) as outside:
            return [seen.value or b"" for seen in outside.read(AUDIT)]


@pytest.fixture
def trail(audited_at: str) -> Trail:
    return Trail(audited_at)


def run(config: Path, command: str, *args: str) -> Result:
    group, name = command.split()
    return CliRunner().invoke(app, [group, name, "-c", str(config), *args])


@pytest.fixture
def away(config: Path) -> Path:
    """The same service, whose broker does not answer."""
    text = config.read_text(encoding="utf-8")
    config.write_text(text.partition("kafka:")[0] + "kafka: {bootstrap_servers: '127.0.0.1:1'}\n", encoding="utf-8")
    return config


@pytest.mark.usefixtures("two_versions")
def test_a_promotion_is_told_with_who_and_from_where_and_how_it_was_before_and_after(
    config: Path, trail: Trail
) -> None:
    assert run(config, "models promote", "1", "--reason", "safer on holidays").exit_code == 0

    asked, done = trail.added()
    assert asked.id == done.id
    assert (asked.outcome, done.outcome) == ("asked", "done")
    assert (done.action, done.target) == ("models.promote", "model delays version 1")
    assert (done.before, done.after) == ({"version": 2, "epoch": 2}, {"version": 1, "epoch": 3})
    assert (done.via, done.role, done.ip, done.reason) == ("command line", "", "", "safer on holidays")
    assert "@" in done.who


@pytest.mark.parametrize(
    ("command", "arguments", "target", "before", "after"),
    [
        ("models rollback", ("1",), "model delays version 1", {"version": 2, "epoch": 2}, {"version": 1, "epoch": 3}),
        ("models pin", ("1",), "model delays version 1", None, {"pinned": True}),
        ("models unpin", ("1",), "model delays version 1", None, {"pinned": False}),
        ("profile push", ("profile.json",), "model delays", {"sample": None}, {"sample": PROFILE.digest}),
        (
            "keys resign",
            (),
            "app flights",
            None,
            {"signing": "k1", "encryption": None, "renewed": 0, "kept": 2, "failed": 0},
        ),
    ],
)
def test_every_command_that_changes_something_is_told(
    config: Path,
    two_versions: ModelStore,
    trail: Trail,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    arguments: tuple[str, ...],
    target: str,
    before: object,
    after: object,
) -> None:
    monkeypatch.chdir(config.parent)
    Path("profile.json").write_bytes(encode(PROFILE))

    assert run(config, command, *arguments).exit_code == 0

    done = trail.added()[-1]
    assert (done.action, done.target) == (command.replace(" ", "."), target)
    assert (done.outcome, done.before, done.after, done.via) == ("done", before, after, "command line")


def test_a_push_and_a_withdrawal_are_told(config: Path, store: ModelStore, trail: Trail) -> None:
    file = config.parent / "model.pickle"
    file.write_bytes(pickle.dumps(notebook()))

    assert run(config, "models push", str(file)).exit_code == 0
    assert run(config, "models withdraw", "1").exit_code == 0

    _, pushed, _, withdrawn = trail.added()
    recipe = store.version("delays", 1).recipe
    assert (pushed.action, pushed.reason) == ("models.push", "pushed")
    assert pushed.after == {"version": 1, "recipe": recipe, "competes": True}
    assert (withdrawn.action, withdrawn.after) == ("models.withdraw", {"competes": False})


@pytest.mark.usefixtures("two_versions")
def test_what_is_refused_is_told_with_the_reason(config: Path, trail: Trail) -> None:
    assert run(config, "models withdraw", "2").exit_code == 1

    _, refused = trail.added()
    assert refused.outcome == "refused"
    assert "version 2 does not compete" in refused.detail


def test_while_the_audit_cannot_be_written_nothing_is_changed(away: Path, two_versions: ModelStore) -> None:
    error = run(away, "models rollback").exception

    assert isinstance(error, BrokerError)
    assert error.message.startswith("Nothing was changed: the audit trail cannot be written.")
    assert "no Kafka broker answered at 127.0.0.1:1" in error.message
    assert "add --no-audit" in (error.cure or "")
    assert serving(two_versions) == 2


@pytest.mark.usefixtures("two_versions")
def test_while_the_audit_cannot_be_written_nothing_is_sealed_anew_unless_that_is_said(
    away: Path,
) -> None:
    renamed = "security: {key_id: k2, accepted_keys: {k1: {env: DRIFTLINE_SIGNING_KEY}}}\n"
    away.write_text(away.read_text(encoding="utf-8") + renamed, encoding="utf-8")

    refused = run(away, "keys resign")
    before = [held.keys for held in holdings(load(away))]
    made = run(away, "keys resign", "--no-audit")

    assert isinstance(refused.exception, BrokerError)
    assert before == [("k1", "")] * 2
    assert made.stderr.startswith("NOT AUDITED: keys.resign, app flights, by ")
    assert [held.keys for held in holdings(load(away))] == [("k2", "")] * 2


def test_a_roll_back_that_cannot_wait_is_made_without_an_audit_loudly_and_leaves_its_mark(
    away: Path, two_versions: ModelStore
) -> None:
    made = run(away, "models rollback", "--no-audit")

    champion = two_versions.champion("delays")
    assert made.exit_code == 0
    assert made.stderr.startswith("NOT AUDITED: models.rollback, model delays the champion before, by ")
    assert champion is not None
    assert (champion.version, champion.reason) == (1, "rollback: not audited")
