"""The profile of a model in Redis: signed, and refused where it is not what was put there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from typer.testing import CliRunner

from learners.artifacts import KeyRing, Place, SigningKey, Trust, seal
from stream.basis import Basis
from stream.cli.commands import app
from stream.config.load import load
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import ConfigError, ModelError, StoreError
from stream.profile import encode
from stream.stores.connection import connect
from stream.stores.opening import earlier_basis, open_basis
from stream.stores.profiles import ProfileStore
from tests.integration.store.conftest import CONFIG, FOREIGN_KEY, KEY
from tests.profiles import profile

PROFILED = """
detectors: {data: [{kind: ks, reference: 100}]}
references: {profile: redis}
"""
WHERE = "driftline:flights:reference:delays"
PROFILE = msgspec.structs.replace(profile(x=[n / 7 for n in range(100)]), model="delays")

Open = Callable[..., ProfileStore]


@pytest.fixture
def config(config: Path) -> Path:
    config.write_text(config.read_text() + PROFILED)
    return config


@pytest.fixture
def open_profiles(config: Path) -> Iterator[Open]:
    service = load(config)
    with connect(service.redis) as client:
        yield lambda key=KEY: ProfileStore(client, service, Trust(KeyRing([key]), key))


def test_what_was_saved_is_loaded_and_the_newest_counts(open_profiles: Open) -> None:
    later = msgspec.structs.replace(PROFILE, features={"x": [0.5] * 100})
    open_profiles().save(PROFILE)
    assert open_profiles().load() == PROFILE
    open_profiles().save(later)
    assert open_profiles().load() == later


def test_the_ten_before_the_newest_are_kept_and_no_more(open_profiles: Open, client: redis.Redis) -> None:
    store = open_profiles()
    pushed = [msgspec.structs.replace(PROFILE, features={"x": [float(n)] * 100}) for n in range(15)]
    for one in [*pushed, pushed[8]]:
        store.save(one)

    newest = [pushed[8], *pushed[:8:-1], *pushed[7:3:-1]]
    assert store.digests() == [one.digest for one in newest]
    assert [store.load(one.digest) for one in newest] == newest
    assert store.load() == pushed[8]
    assert len(list(client.scan_iter(f"{WHERE}*"))) == 13
    with pytest.raises(ConfigError, match="there is none"):
        store.load(pushed[3].digest)


def test_a_kept_profile_in_the_place_of_another_is_refused(open_profiles: Open, client: redis.Redis) -> None:
    later = msgspec.structs.replace(PROFILE, features={"x": [0.5] * 100})
    for one in (PROFILE, later):
        open_profiles().save(one)
    client.rename(f"{WHERE}:{later.digest}", f"{WHERE}:{PROFILE.digest}")

    with pytest.raises(ModelError, match="is another one"):
        open_profiles().load(PROFILE.digest)


def test_what_tasks_had_before_is_found_by_its_digest(open_profiles: Open, config: Path) -> None:
    service = load(config)
    later = msgspec.structs.replace(PROFILE, features={"x": [0.5] * 100})
    for one in (PROFILE, later):
        open_profiles().save(one)
    now, then, without = open_basis(service), Basis(service, lambda: PROFILE), Basis(service)

    found = [basis for one in (now, then, without) if (basis := earlier_basis(service, one.digest))]

    assert [basis.profile for basis in found] == [later, PROFILE, None]
    assert earlier_basis(service, "0" * 64) is None


def test_a_profile_that_is_not_there_is_told_with_the_cure(open_profiles: Open) -> None:
    with pytest.raises(ConfigError, match=r"references.profile: there is none of model delays in Redis") as refusal:
        open_profiles().load()
    assert "driftline profile push" in (refusal.value.cure or "")


def sealed(what: object, name: str = "delays", key: SigningKey = KEY) -> bytes:
    return seal(what, key=key, metadata={}, place=Place("profile", "flights", name))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "signature by key 'k1' does not hold"),
        (lambda data: encode(PROFILE), "not a signed artifact"),
        (lambda data: sealed(encode(PROFILE), key=FOREIGN_KEY), "signature by key 'k1' does not hold"),
        (
            lambda data: sealed(encode(PROFILE), "another"),
            "model 'another' .*in the place of the profile of",
        ),
        (lambda data: sealed({"x": 1}), "is none of it"),
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
    config.write_text(CONFIG.format(url=own_server.url) + PROFILED)
    service = load(config)
    basis = open_basis(service)
    own_server.stop()
    with pytest.raises(StoreError, match="refused the connection"):
        _ = basis.digest
    own_server.start()
    with connect(service.redis) as client:
        ProfileStore(client, service, Trust(KeyRing([KEY]), KEY)).save(PROFILE)
    assert basis.profile == PROFILE
