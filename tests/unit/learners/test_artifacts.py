"""Sealed models: what is signed comes back, what is not does not."""

from __future__ import annotations

import json
import os
import pickle
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from river.compose import FuncTransformer

from learners import artifacts
from learners.artifacts import (
    ArtifactError,
    Incompatible,
    KeyRing,
    Place,
    SigningKey,
    Trust,
    Untrusted,
    digest,
    open_sealed,
    seal,
)
from learners.base import Problem, Schema
from learners.envelope import wrap
from learners.keys import EncryptionKey
from learners.linear import Logistic, LogisticConfig

KEY = SigningKey("2026-a", b"sixteen bytes or more")
OTHER = SigningKey("2026-b", b"another secret of ours")
RING = KeyRing([KEY])
CIPHER = EncryptionKey("hidden", bytes(range(32)))


def model() -> Logistic:
    learner = Logistic(LogisticConfig(), Problem.BINARY, Schema(("a",)))
    learner.learn([{"a": 1.0}, {"a": 2.0}, {"a": 3.0}] * 10, [False, True, True] * 10)
    return learner


def forge(body: bytes, key: SigningKey = KEY, **changes: Any) -> bytes:
    """A well-signed envelope of any body and header: what the holder of a key could make."""
    header = {"type": "x.Y", "versions": artifacts.versions(), "compression": "zlib", "raw_bytes": len(body)}
    packed = changes.pop("packed", zlib.compress(body))
    return wrap({**header, "metadata": {}, **changes}, packed, key, None, None)


class Touch:
    """Pickles as a command that creates a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.witness}",)


def test_a_sealed_model_comes_back_with_its_metadata_and_predicts_the_same() -> None:
    learner = model()
    metadata, opened = open_sealed(seal(learner, key=KEY, metadata={"model": "m", "version": 3}), keys=RING)
    assert metadata == {"model": "m", "version": 3}
    assert opened.predict([{"a": 2.5}]) == learner.predict([{"a": 2.5}])


def test_a_second_key_of_the_ring_opens_what_it_signed() -> None:
    data = seal([1], key=OTHER, metadata={})
    assert open_sealed(data, keys=KeyRing([KEY, OTHER]))[1] == [1]


def test_a_bare_pickle_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(Untrusted, match="not a signed artifact"):
        open_sealed(pickle.dumps(Touch(tmp_path / "witness")), keys=RING)
    assert not (tmp_path / "witness").exists()


def test_nothing_is_parsed_or_decompressed_before_the_signature_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(seal(model(), key=KEY, metadata={}, encryption=CIPHER))
    data[-1] ^= 1

    def never(*_: object, **__: object) -> None:
        raise AssertionError("looked inside before checking the signature")

    monkeypatch.setattr(json, "loads", never)
    monkeypatch.setattr(EncryptionKey, "decrypt", never)
    monkeypatch.setattr(zlib, "decompressobj", never)
    monkeypatch.setattr(artifacts, "AllowListUnpickler", never)
    with pytest.raises(Untrusted, match="signature"):
        open_sealed(bytes(data), keys=KeyRing([KEY], [CIPHER]))


def test_a_well_signed_attack_is_refused_without_effect(tmp_path: Path) -> None:
    with pytest.raises(Untrusted, match=r"posix\.system|nt\.system"):
        open_sealed(forge(pickle.dumps(Touch(tmp_path / "witness"))), keys=RING)
    assert not (tmp_path / "witness").exists()


def test_what_could_not_be_opened_is_not_sealed() -> None:
    with pytest.raises(ArtifactError, match="cannot be stored"):
        seal(FuncTransformer(os.getcwd), key=KEY, metadata={})  # type: ignore[arg-type]


def test_a_body_larger_than_the_limit_is_refused_before_it_is_decompressed() -> None:
    data = seal(bytes(100_000), key=KEY, metadata={})
    assert len(data) < 2_000
    with pytest.raises(Incompatible, match=r"100\d+ bytes; at most 50000"):
        open_sealed(data, keys=RING, max_bytes=50_000)


def test_a_body_that_decompresses_to_more_than_it_says_is_refused() -> None:
    bomb = forge(b"x" * 10, packed=zlib.compress(bytes(10_000_000)))
    with pytest.raises(Incompatible, match="10 bytes its header states"):
        open_sealed(bomb, keys=RING)


def test_a_body_that_is_not_compressed_is_refused() -> None:
    with pytest.raises(Incompatible, match="decompressed"):
        open_sealed(forge(b"", packed=b"not zlib"), keys=RING)


def test_another_river_is_refused_with_the_cure() -> None:
    data = forge(pickle.dumps([1]), versions={**artifacts.versions(), "river": "0.19.4"})
    with pytest.raises(Incompatible, match=r"River 0\.19\.4; here is River .* Install 0\.19\.4, or train it anew"):
        open_sealed(data, keys=RING)


def test_a_model_that_cannot_be_rebuilt_here_names_the_versions() -> None:
    broken = forge(b"\x80\x05\x8c\x01a\x85R.")  # calls a text
    with pytest.raises(Incompatible, match=r"x\.Y of driftline .* cannot be rebuilt here .* river"):
        open_sealed(broken, keys=RING)


def test_metadata_that_is_not_json_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        seal([1], key=KEY, metadata={"nan": float("nan")})


def test_a_header_that_does_not_say_what_the_body_is_is_refused() -> None:
    with pytest.raises(Incompatible, match="does not say what is in it"):
        open_sealed(wrap({"metadata": {}}, b"", KEY, None, None), keys=RING)


def test_what_is_trusted_is_sealed_for_its_place_and_opened_there() -> None:
    trust = Trust(KeyRing([KEY], [CIPHER], encrypted_only=True), KEY, CIPHER, ("fractions",))
    place = Place("model", "shop", "m")
    data = trust.seal(Fraction(1, 3), place, {"a": 1})
    assert trust.open(data, place) == ({"a": 1}, Fraction(1, 3))


def test_without_a_key_that_signs_nothing_is_sealed() -> None:
    trust = Trust(RING)
    place = Place("model", "shop", "m")
    data = seal([1], key=KEY, metadata={}, place=place)
    assert trust.open(data, place) == ({}, [1])
    with pytest.raises(ArtifactError, match="cannot sign"):
        trust.seal([1], place, {})
    with pytest.raises(ArtifactError, match="cannot sign"):
        trust.renewed(data)


def test_a_renewed_artifact_keeps_its_digest_and_takes_the_keys_of_today() -> None:
    old = Trust(RING, KEY)
    place = Place("snapshot", "shop", "3")
    data = old.seal([1], place, {"sequence": 9})

    new = Trust(KeyRing([KEY, OTHER], [CIPHER]), OTHER, CIPHER).renewed(data)

    assert digest(new) == digest(data)
    assert Trust(KeyRing([OTHER], [CIPHER], encrypted_only=True)).open(new, place) == ({"sequence": 9}, [1])


def test_renewing_runs_nothing_of_the_body(tmp_path: Path) -> None:
    attack = forge(pickle.dumps(Touch(tmp_path / "witness")))
    Trust(RING, KEY).renewed(attack)
    assert not (tmp_path / "witness").exists()
