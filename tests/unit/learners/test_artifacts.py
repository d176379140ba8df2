"""Sealed models: what is signed comes back, what is not does not."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from river.compose import FuncTransformer

from learners import artifacts
from learners.artifacts import ArtifactError, Incompatible, KeyRing, SigningKey, Untrusted, digest, open_sealed, seal
from learners.base import Problem, Schema
from learners.linear import Logistic, LogisticConfig

KEY = SigningKey("2026-a", b"sixteen bytes or more")
OTHER = SigningKey("2026-b", b"another secret of ours")
RING = KeyRing([KEY])


def model() -> Logistic:
    learner = Logistic(LogisticConfig(), Problem.BINARY, Schema(("a",)))
    learner.learn([{"a": 1.0}, {"a": 2.0}, {"a": 3.0}] * 10, [False, True, True] * 10)
    return learner


def forge(body: bytes, key: SigningKey = KEY, **changes: Any) -> bytes:
    """A well-signed envelope of any body and header: what the holder of a key could make."""
    header = {"type": "x.Y", "versions": artifacts.versions(), "compression": "zlib", "raw_bytes": len(body)}
    packed = changes.pop("packed", zlib.compress(body))
    text = json.dumps({**header, "body_bytes": len(packed), "metadata": {}, **changes}).encode()
    name = key.id.encode()
    front = b"DRIFTL" + struct.pack(">HB", 1, len(name)) + name + struct.pack(">I", len(text)) + text
    return b"".join((front, key.sign(front, packed), packed))


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


def test_the_digest_is_the_sha256_of_the_bytes() -> None:
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_second_key_of_the_ring_opens_what_it_signed() -> None:
    data = seal([1], key=OTHER, metadata={})
    assert open_sealed(data, keys=KeyRing([KEY, OTHER]))[1] == [1]


@pytest.mark.parametrize("place", ["magic", "key id", "header", "signature", "body", "last byte"])
def test_one_altered_byte_anywhere_is_refused(place: str) -> None:
    data = bytearray(seal(model(), key=KEY, metadata={"version": 3}))
    header_at = len(b"DRIFTL") + 3 + len(KEY.id) + 4
    body_at = data.index(b"}}") + 2 + 32 if b"}}" in data else 0
    at = {
        "magic": 0,
        "key id": 10,
        "header": header_at + 20,
        "signature": body_at - 5,
        "body": body_at + 5,
        "last byte": len(data) - 1,
    }[place]
    data[at] ^= 1
    with pytest.raises(Untrusted):
        open_sealed(bytes(data), keys=RING)


@pytest.mark.parametrize("kept", [0, 5, 8, 12, 20, 60, 300])
def test_bytes_cut_off_anywhere_are_refused(kept: int) -> None:
    with pytest.raises(Untrusted):
        open_sealed(seal(model(), key=KEY, metadata={})[:kept], keys=RING)


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(Untrusted):
        open_sealed(seal([1], key=KEY, metadata={}) + b"x", keys=RING)


def test_a_bare_pickle_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(Untrusted, match="not a signed model"):
        open_sealed(pickle.dumps(Touch(tmp_path / "witness")), keys=RING)
    assert not (tmp_path / "witness").exists()


def test_an_unknown_key_is_refused_and_named() -> None:
    with pytest.raises(Untrusted, match=r"'2026-b'.*not among the accepted keys \(2026-a\)"):
        open_sealed(seal([1], key=OTHER, metadata={}), keys=RING)


def test_a_key_of_the_same_name_with_another_secret_is_refused() -> None:
    impostor = SigningKey(KEY.id, b"guessed, and wrongly so")
    with pytest.raises(Untrusted, match="signature"):
        open_sealed(seal([1], key=impostor, metadata={}), keys=RING)


def test_nothing_is_parsed_or_decompressed_before_the_signature_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(seal(model(), key=KEY, metadata={}))
    data[-1] ^= 1

    def never(*_: object, **__: object) -> None:
        raise AssertionError("looked inside before checking the signature")

    monkeypatch.setattr(json, "loads", never)
    monkeypatch.setattr(zlib, "decompressobj", never)
    monkeypatch.setattr(artifacts, "AllowListUnpickler", never)
    with pytest.raises(Untrusted):
        open_sealed(bytes(data), keys=RING)


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


def test_another_format_is_refused_with_the_cure() -> None:
    data = bytearray(seal([1], key=KEY, metadata={}))
    data[6:8] = struct.pack(">H", 2)
    with pytest.raises(Incompatible, match="format 2; this version reads format 1"):
        open_sealed(bytes(data), keys=RING)


def test_a_model_that_cannot_be_rebuilt_here_names_the_versions() -> None:
    broken = forge(b"\x80\x05\x8c\x01a\x85R.")  # calls a text
    with pytest.raises(Incompatible, match=r"x\.Y of driftline .* cannot be rebuilt here .* river"):
        open_sealed(broken, keys=RING)


def test_metadata_that_is_not_json_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        seal([1], key=KEY, metadata={"nan": float("nan")})


def test_a_short_secret_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match="5 bytes; expected 16 or more") as refused:
        SigningKey("k", b"short")
    assert "short" not in str(refused.value)


def test_a_secret_is_never_printed() -> None:
    assert "sixteen" not in repr(KEY)
