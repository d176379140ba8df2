"""The profile of a model in Redis: signed, and refused where it is not what was put there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from typer.testing import CliRunner

from learners.artifacts import KeyRing, SigningKey, seal
from stream.cli.commands import app
from stream.config.load import load
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import ConfigError, ModelError, StoreError
from stream.profile import Profile, encode
from stream.stores.connection import connect
from stream.stores.opening import open_basis
from stream.stores.profiles import ProfileStore
from tests.integration.store.conftest import FOREIGN_KEY, KEY

CONFIG = """
app: flights
topics: {{events: e, labels: l, predictions: p, alerts: a, dead_letters: d}}
events: {{features: {{x: {{type: number}}}}}}
model: {{name: delays, problem: binary, learner: {{kind: logistic}}}}
redis: {{url: "{url}"}}
detectors: {{data: [{{kind: ks, reference: 100}}]}}
references: {{profile: redis}}
"""
WHERE = "driftline:flights:reference:delays"
PROFILE = Profile(
    model="delays",
    made=datetime(2026, 1, 1, tzinfo=UTC),
    source="training.jsonl",
    events=100,
    dead_letters=0,
    seed=1,
    times=[0.0] * 100,
    features={"x": [n / 7 for n in range(100)]},
)

Open = Callable[..., ProfileStore]


@pytest.fixture
def config(server: EmbeddedValkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRIFTLINE_SIGNING_KEY", KEY.secret.decode())
    path = tmp_path / "flights.yaml"
    path.write_text(CONFIG.format(url=server.url), encoding="utf-8")
    return path


@pytest.fixture
def open_profiles(config: Path) -> Iterator[Open]:
    service = load(config)
    with connect(service.redis) as client:
        yield lambda key=KEY: ProfileStore(client, service, key=key, keys=KeyRing([key]))


def test_what_was_saved_is_loaded_and_the_newest_counts(open_profiles: Open) -> None:
    later = msgspec.structs.replace(PROFILE, features={"x": [0.5] * 100})
    open_profiles().save(PROFILE)
    assert open_profiles().load() == PROFILE
    open_profiles().save(later)
    assert open_profiles().load() == later


def test_a_profile_that_is_not_there_is_told_with_the_cure(open_profiles: Open) -> None:
    with pytest.raises(ConfigError, match=r"references.profile: there is none of model delays in Redis") as refusal:
        open_profiles().load()
    assert "driftline profile push" in (refusal.value.cure or "")


def other_model(key: SigningKey) -> bytes:
    return seal(encode(PROFILE), key=key, metadata={"reference": "another"})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "signature by key 'k1' does not hold"),
        (lambda data: encode(PROFILE), "not a signed model"),
        (lambda data: other_model(FOREIGN_KEY), "signature by key 'k1' does not hold"),
        (lambda data: other_model(KEY), "is none of it"),
        (lambda data: seal({"x": 1}, key=KEY, metadata={"reference": "delays"}), "is none of it"),
    ],
    ids=["altered", "unsigned", "foreign key", "of another model", "another thing"],
)
def test_what_was_altered_or_signed_as_another_thing_is_refused(
    open_profiles: Open, client: redis.Redis, spoil: Callable[[Any], bytes], words: str
) -> None:
    open_profiles().save(PROFILE)
    client.set(WHERE, spoil(client.get(WHERE)))
    with pytest.raises(ModelError, match=words):
        open_profiles().load()


def test_a_profile_that_does_not_fit_the_configuration_is_refused(open_profiles: Open, config: Path) -> None:
    open_profiles().save(msgspec.structs.replace(PROFILE, features={"x": ["far"] * 100}))
    with pytest.raises(ConfigError, match=r"references.profile: Redis at .*feature 'x' is declared as a number"):
        _ = open_basis(load(config)).profile


def test_a_profile_pushed_and_shown_on_the_command_line_is_what_services_start_with(
    config: Path, tmp_path: Path
) -> None:
    file = tmp_path / "usual.json"
    file.write_bytes(encode(PROFILE))

    pushed = CliRunner().invoke(app, ["profile", "push", "-c", str(config), str(file)])
    shown = CliRunner().invoke(app, ["profile", "show", "-c", str(config)])

    assert pushed.exit_code == 0, repr(pushed.exception)
    assert "100 events of 100 in training.jsonl" in pushed.output
    assert shown.exit_code == 0, repr(shown.exception)
    assert PROFILE.digest[:12] in shown.output
    assert open_basis(load(config)).profile == PROFILE


def test_a_profile_is_asked_for_again_when_the_server_was_away(own_server: EmbeddedValkey, config: Path) -> None:
    config.write_text(CONFIG.format(url=own_server.url), encoding="utf-8")
    service = load(config)
    basis = open_basis(service)
    own_server.stop()
    with pytest.raises(StoreError, match="refused the connection"):
        _ = basis.digest
    own_server.start()
    with connect(service.redis) as client:
        ProfileStore(client, service, key=KEY, keys=KeyRing([KEY])).save(PROFILE)
    assert basis.profile == PROFILE
