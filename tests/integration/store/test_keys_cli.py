"""`driftline keys`: keys are made and rotated from end to end, as docs/security.md tells it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner, Result

from learners.artifacts import Incompatible, Place, Trust, Untrusted
from learners.envelope import split
from learners.keys import SigningKey
from stream.cli.commands import app
from stream.config.load import load
from stream.config.trust import trust_of
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import ConfigError, ModelError
from stream.stores.archive import Point
from stream.stores.connection import connect
from stream.stores.files import FileSnapshots
from stream.stores.holdings import holdings
from stream.stores.opening import open_store
from stream.stores.snapshots import RedisSnapshots
from tests.integration.store.conftest import CONFIG, make_learner, make_meta

MORE = ["runtime: {{snapshot_archive: {{every: 1s}}{directory}}}", "security:"]
HMAC_IN_USE = ["  signing_key: {{file: {dir}/k1.key}}", "  key_id: k1"]
PAIR_IN_USE = ["  signing_key: {{file: {dir}/k2.key, algorithm: ed25519}}", "  key_id: k2"]
PUBLIC_HALF = ["  signing_key: {{file: {dir}/k2.key.pub, algorithm: ed25519}}", "  key_id: k2"]
OLD_ACCEPTED = ["  accepted_keys: {{k1: {{file: {dir}/k1.key}}}}"]
HIDDEN = ["  encryption: {{key: {{file: {dir}/e1.key}}{more}}}"]
HIDDEN_ANEW = [
    "  encryption: {{key: {{file: {dir}/e2.key}}, key_id: e2, accepted_keys: {{e1: {{file: {dir}/e1.key}}}}}}"
]
HIDDEN_BY_THE_NEW = ["  encryption: {{key: {{file: {dir}/e2.key}}, key_id: e2}}"]


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["keys", *map(str, args)])


def output(*args: str | Path) -> str:
    result = run(*args)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


class Site:
    """A service's file, which an operator edits, and what the service keeps."""

    def __init__(self, server: EmbeddedValkey, broker: str, directory: Path, *, files: bool) -> None:
        self.dir = directory
        self._broker = broker
        self.path = directory / "flights.yaml"
        self._server = server
        self._snapshots = directory / "snapshots"
        self._files = files
        if files:
            self._snapshots.mkdir()

    def write(self, *lines: list[str], more: str = "") -> Path:
        directory = f", snapshot_directory: {self._snapshots}" if self._files else ""
        text = "\n".join(line for part in (MORE, *lines) for line in part).format(
            dir=self.dir, directory=directory, more=more
        )
        kafka = f"kafka: {{bootstrap_servers: '{self._broker}'}}\n"
        self.path.write_text(f"{CONFIG.format(url=self._server.url)}{kafka}{text}\n")
        return self.path

    @property
    def trust(self) -> Trust:
        return trust_of(load(self.path).security)

    def publish(self, labels: int) -> int:
        return open_store(load(self.path)).publish("delays", make_learner(labels), meta=make_meta(labels=labels))

    def predictions(self, version: int) -> Any:
        learner, _ = open_store(load(self.path)).load("delays", version)
        return learner.predict([{"x": 3.0}])

    def save_snapshots(self, sequence: int) -> None:
        """A task's snapshot, as a worker saves it; each is archived too."""
        config = load(self.path)
        place = Place("snapshot", config.app, "0")
        with connect(config.redis) as client:
            store: Any = (
                FileSnapshots(self._snapshots, config.app, config.runtime.snapshot_archive)
                if self._files
                else RedisSnapshots(client, config.app, config.runtime.snapshot_archive)
            )
            data = self.trust.seal([sequence], place, {"sequence": sequence})
            store.save("0", data, owner=store.claim("0"), point=Point(sequence, 0, 10_000 * sequence))

    def push_profile(self) -> None:
        config = load(self.path)
        with connect(config.redis) as client:
            place = Place("profile", config.app, "delays")
            client.set(f"driftline:{config.app}:reference:delays", self.trust.seal(b"profile", place, {}))

    def opened(self) -> list[Any]:
        """Everything that is kept, as this configuration opens it."""
        trust = self.trust
        return [trust.open(held.data, place_of(held.data))[0] for held in holdings(load(self.path))]

    def seals(self) -> dict[str, list[str]]:
        told = json.loads(output("list", "-c", self.path, "--json"))
        assert told["unreadable"] == []
        return {key["id"]: sorted(key["seals"]) for key in told["keys"]}


def place_of(data: bytes) -> Place:
    return Place(**json.loads(split(data).header)["place"])


@pytest.fixture(params=["redis", "files"])
def site(request: pytest.FixtureRequest, server: EmbeddedValkey, audited_at: str, tmp_path: Path) -> Site:
    return Site(server, audited_at, tmp_path, files=request.param == "files")


def test_a_key_is_rotated_from_hmac_to_ed25519_and_the_old_one_removed(site: Site) -> None:
    # Given a service with an HMAC key, and what it has sealed with it
    output("new", site.dir / "k1.key")
    path = site.write(HMAC_IN_USE)
    first = site.publish(10)
    site.save_snapshots(1)
    site.save_snapshots(2)
    site.push_profile()
    digest = open_store(load(path)).version("delays", first).digest
    said = site.predictions(first)

    # When a new key signs and the old one is still accepted
    output("new", site.dir / "k2.key", "--algorithm", "ed25519")
    site.write(PAIR_IN_USE, OLD_ACCEPTED)
    second = site.publish(20)

    # Then both are read, and what still needs the old one is told
    assert site.predictions(first) == said
    seals = site.seals()
    assert seals["k2"] == [f"model delays version {second}"]
    assert [what.split()[0] for what in seals["k1"]] == ["model", "profile", *["snapshot"] * 4]
    assert "k1 is still needed, until `driftline keys resign`: model delays version 1" in output("list", "-c", path)

    # And without the old one that would be lost
    site.write(PAIR_IN_USE)
    with pytest.raises(Untrusted, match="'k1', which is not among the accepted keys"):
        site.predictions(first)
    told = output("list", "-c", path)
    assert "k1 is not accepted, and 1 model, 1 profile, 4 snapshots cannot be read" in told

    # When all is sealed anew
    site.write(PAIR_IN_USE, OLD_ACCEPTED)
    assert output("resign", "-c", path) == "Sealed anew: 6. With the keys of today already: 1.\n"
    assert output("resign", "-c", path) == "Sealed anew: 0. With the keys of today already: 7.\n"

    # Then the old key can go, and all is as it was, for those with the public half only too
    assert "k1 seals nothing: it can be removed" in output("list", "-c", path)
    for lines in (PAIR_IN_USE, PUBLIC_HALF):
        site.write(lines)
        assert site.predictions(first) == said
        assert open_store(load(path)).version("delays", first).digest == digest
        assert len(site.opened()) == 7


def test_encryption_is_turned_on_and_its_key_rotated(site: Site) -> None:
    # Given a service without encryption
    output("new", site.dir / "k1.key")
    path = site.write(HMAC_IN_USE)
    version = site.publish(10)
    site.save_snapshots(1)
    said = site.predictions(version)

    # When it is turned on, what is there is refused until both kinds are accepted and it is sealed anew
    output("new", site.dir / "e1.key", "--algorithm", "aes-256-gcm")
    site.write(HMAC_IN_USE, HIDDEN)
    with pytest.raises(Untrusted, match="not encrypted"):
        site.predictions(version)
    site.write(HMAC_IN_USE, HIDDEN, more=", accept_unencrypted: true")
    assert site.predictions(version) == said
    output("resign", "-c", path)
    site.write(HMAC_IN_USE, HIDDEN)
    assert site.predictions(version) == said

    # When its key is rotated
    output("new", site.dir / "e2.key", "--algorithm", "aes-256-gcm")
    site.write(HMAC_IN_USE, HIDDEN_ANEW)
    assert len(site.seals()["e1"]) == 3
    output("resign", "-c", path)

    # Then the old one can go
    site.write(HMAC_IN_USE, HIDDEN_BY_THE_NEW)
    assert site.predictions(version) == said
    assert len(site.seals()["e2"]) == 3
    assert len(site.opened()) == 3
    site.write(HMAC_IN_USE, HIDDEN)
    with pytest.raises(Incompatible, match="encrypted with key 'e2'"):
        site.predictions(version)


def test_what_is_forged_or_no_artifact_is_told_and_never_blessed(config: Path, client: redis.Redis) -> None:
    store = open_store(load(config))
    store.publish("delays", make_learner(10), meta=make_meta())
    meta, good = store.fetch("delays", 1)
    place = Place("model", "flights", "delays")
    forged = Trust(trust_of(load(config).security).keys, SigningKey("k0", b"of nobody that we know of")).seal(
        [1], place, {}
    )
    client.set("driftline:flights:artifact:" + "0" * 64, forged)
    client.set("driftline:flights:reference:delays", b"cos\nsystem\n")

    with pytest.raises(ModelError, match="2 could not be sealed anew") as refused:
        CliRunner().invoke(app, ["keys", "resign", "-c", str(config)], catch_exceptions=False)

    assert "artifact 000000000000, of no version: the artifact is signed with key 'k0'" in str(refused.value)
    assert "profile of model delays: these bytes are not a signed artifact" in str(refused.value)
    assert client.get("driftline:flights:artifact:" + "0" * 64) == forged
    assert store.fetch("delays", 1) == (meta, good)
    listed = output("list", "-c", config)
    assert "k0 is not accepted, and 1 artifact cannot be read" in listed
    assert "Not to be read by anybody: profile of model delays" in listed


def test_what_changes_while_it_is_sealed_anew_is_left_as_it_is_now(config: Path, client: redis.Redis) -> None:
    open_store(load(config)).publish("delays", make_learner(10), meta=make_meta())
    (held,) = holdings(load(config))
    (key,) = client.keys("driftline:flights:artifact:*")
    client.set(key, b"newer")
    assert not held.replace(b"sealed anew")
    client.delete(key)
    assert not held.replace(b"sealed anew")
    assert client.keys("driftline:flights:artifact:*") == []


def test_with_the_public_half_nothing_is_sealed_anew(site: Site) -> None:
    output("new", site.dir / "k2.key", "--algorithm", "ed25519")
    path = site.write(PUBLIC_HALF)
    result = run("resign", "-c", path)
    assert isinstance(result.exception, ConfigError)
    assert "cannot sign" in str(result.exception)


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "ed25519", "aes-256-gcm"])
def test_a_new_key_is_its_owners_only_shown_nowhere_and_never_overwrites(tmp_path: Path, algorithm: str) -> None:
    file = tmp_path / "a.key"
    told = output("new", file, "--algorithm", algorithm)
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert text.splitlines()[-2 if algorithm == "ed25519" else 0] not in told
    again = run("new", file, "--algorithm", algorithm)
    assert isinstance(again.exception, ConfigError)
    assert "there already" in str(again.exception)
    assert file.read_text() == text


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "aes-256-gcm"])
def test_a_new_key_is_named_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    monkeypatch.chdir(tmp_path)

    assert f"{{file: {tmp_path / 'a.key'}}}" in output("new", "a.key", "--algorithm", algorithm)


def test_a_key_that_would_overwrite_a_public_half_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "a.key.pub").write_text("theirs")
    result = run("new", tmp_path / "a.key", "--algorithm", "ed25519")
    assert isinstance(result.exception, ConfigError)
    assert not (tmp_path / "a.key").exists()
