"""Envelopes: genuine and in their place, or refused before anybody looks inside."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from learners.envelope import (
    ArtifactError,
    Envelope,
    Incompatible,
    Place,
    Untrusted,
    canonical,
    digest,
    resealed,
    split,
    unwrap,
    wrap,
)
from learners.keys import Algorithm, EncryptionKey, KeyRing, PublicKey, SigningKey

HMAC = SigningKey("2026-a", b"sixteen bytes or more")
PAIR = SigningKey("2026-b", bytes(range(32)), Algorithm.ED25519)
CIPHER = EncryptionKey("e1", b"e" * 32)
NEXT_CIPHER = EncryptionKey("e2", b"f" * 32)
HERE = Place("model", "shop", "m")
HEADER = {"metadata": {"version": 3}}
BODY = b"the body of it"

RING = KeyRing([HMAC, PAIR.public], [CIPHER])
KINDS = {
    "hmac": (HMAC, None),
    "hmac, encrypted": (HMAC, CIPHER),
    "ed25519": (PAIR, None),
    "ed25519, encrypted": (PAIR, CIPHER),
}


def sealed(kind: str = "hmac", place: Place = HERE, **header: Any) -> bytes:
    key, encryption = KINDS[kind]
    return wrap({**HEADER, **header}, BODY, key, encryption, place)


def signed_anew(data: bytes, key: SigningKey = HMAC, **changes: Any) -> bytes:
    """The envelope with some of its parts replaced, signed by whoever holds `key`."""
    parts = split(data)._replace(**changes)
    return parts.front + parts.nonce + key.sign(parts.front, parts.nonce, parts.body) + parts.body


def fronted(data: bytes, *, number: int | None = None, key_id: str | None = None, header: bytes | None = None) -> bytes:
    """The front of an envelope with another signature algorithm, key id or header in it."""
    parts = split(data)
    named = (parts.key_id if key_id is None else key_id).encode()
    text = parts.header if header is None else header
    hidden = parts.encryption_id.encode()
    kinds = struct.pack(">BB", data[8] if number is None else number, data[9])
    ids = bytes([len(named)]) + named + bytes([len(hidden)]) + hidden
    return data[:8] + kinds + ids + struct.pack(">I", len(text)) + text


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_wrapped_is_unwrapped_by_a_ring_of_both_algorithms(kind: str) -> None:
    header, body = unwrap(sealed(kind), RING, HERE)
    assert body == BODY
    assert header["metadata"] == {"version": 3}
    assert header["place"] == {"kind": "model", "app": "shop", "name": "m"}


@pytest.mark.parametrize("kind", KINDS)
def test_any_altered_bit_is_refused(kind: str) -> None:
    data = sealed(kind)
    for at in range(len(data)):
        spoilt = bytearray(data)
        spoilt[at] ^= 1
        with pytest.raises(Incompatible if at in (6, 7) else Untrusted):  # those two say the format
            unwrap(bytes(spoilt), RING, HERE)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_off_or_goes_on_is_refused(kind: str) -> None:
    data = sealed(kind)
    for kept in range(len(data)):
        with pytest.raises(Untrusted):
            unwrap(data[:kept], RING, HERE)
    with pytest.raises(Untrusted):
        unwrap(data + b"x", RING, HERE)


@pytest.mark.parametrize("written", [0, 1, 3, 65535])
def test_other_formats_are_refused_older_ones_too(written: int) -> None:
    data = bytearray(sealed())
    data[6:8] = struct.pack(">H", written)
    with pytest.raises(Incompatible, match=f"format {written}; this version reads format 2 and no other"):
        unwrap(bytes(data), RING, HERE)


def test_an_unknown_key_is_refused_and_named() -> None:
    with pytest.raises(Untrusted, match=r"'2026-b'.*not among the accepted keys \(2026-a\)"):
        unwrap(sealed("ed25519"), KeyRing([HMAC]), HERE)


def test_a_key_of_the_same_name_with_another_secret_is_refused() -> None:
    impostor = SigningKey(HMAC.id, b"guessed, and wrongly so")
    with pytest.raises(Untrusted, match="signature"):
        unwrap(wrap(HEADER, BODY, impostor, None, HERE), RING, HERE)


# algorithms


def test_the_public_key_taken_for_an_hmac_secret_signs_nothing() -> None:
    """The classic confusion: everybody may know the public half, and HMAC with it is easily computed."""
    forger = SigningKey(PAIR.id, PAIR.public.public_bytes)
    with pytest.raises(Untrusted, match="by hmac-sha256 and key '2026-b' is for ed25519"):
        unwrap(wrap(HEADER, BODY, forger, None, HERE), RING, HERE)


def test_an_hmac_key_is_not_used_with_ed25519() -> None:
    other = SigningKey(HMAC.id, bytes(32), Algorithm.ED25519)
    with pytest.raises(Untrusted, match="by ed25519 and key '2026-a' is for hmac-sha256"):
        unwrap(wrap(HEADER, BODY, other, None, HERE), RING, HERE)


@pytest.mark.parametrize("number", [0, 3, 255])
def test_an_unknown_algorithm_is_refused(number: int) -> None:
    data = bytearray(sealed())
    data[8] = number
    with pytest.raises(Untrusted, match=f"signature {number} .*not known"):
        unwrap(bytes(data), RING, HERE)


def test_no_signature_is_computed_for_a_key_of_another_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    forged = wrap(HEADER, BODY, SigningKey(PAIR.id, PAIR.public.public_bytes), None, HERE)

    def never(*_: object) -> bool:
        raise AssertionError("it was tried")

    monkeypatch.setattr(SigningKey, "verify", never)
    monkeypatch.setattr(PublicKey, "verify", never)
    with pytest.raises(Untrusted, match="is for ed25519"):
        unwrap(forged, RING, HERE)


# headers


def test_the_header_is_readable_and_canonical_even_if_the_body_is_hidden() -> None:
    data = sealed("ed25519, encrypted", b=1, a="ü")
    header = split(data).header
    assert json.loads(header)["metadata"] == {"version": 3}
    assert header == canonical(json.loads(header))
    assert header.startswith(b'{"a":"\\u00fc","b":1,"body_bytes":14,')


@pytest.mark.parametrize("kind", KINDS)
def test_a_header_swapped_with_that_of_another_artifact_is_refused(kind: str) -> None:
    theirs = split(sealed(kind, metadata={"version": 4}))
    ours = sealed(kind)
    parts = split(ours)
    swapped = fronted(ours, header=theirs.header) + parts.nonce + parts.signature + parts.body
    with pytest.raises(Untrusted, match="signature"):
        unwrap(swapped, RING, HERE)


def test_a_header_swapped_by_a_holder_of_the_key_is_no_use_for_a_hidden_body() -> None:
    """The cipher vouches for the header that it was made with."""
    ours = sealed("hmac, encrypted")
    header = split(sealed("hmac, encrypted", metadata={"version": 4})).header
    with pytest.raises(Untrusted, match="does not decrypt"):
        unwrap(signed_anew(ours, front=fronted(ours, header=header)), RING, HERE)


def test_a_hidden_body_is_no_use_to_the_holder_of_another_key() -> None:
    """He may strip the signature, but not pass the body off as his own."""
    ours = sealed("hmac, encrypted")
    thief = SigningKey("thief", b"he has a key of his own")
    stolen = signed_anew(ours, thief, front=fronted(ours, key_id="thief"))
    with pytest.raises(Untrusted, match="does not decrypt"):
        unwrap(stolen, KeyRing([thief], [CIPHER]), HERE)


def test_a_body_that_the_header_was_not_made_for_is_refused_from_a_holder_of_the_key() -> None:
    with pytest.raises(Untrusted, match="not the one that its header was signed for"):
        unwrap(signed_anew(sealed(), body=b"the body of IT"), RING, HERE)


@pytest.mark.parametrize(
    "text",
    [b'{"b":1,"a":2}', b'{"a":1,"a":2}', b'{"a": 1}', b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a":NaN}', b"{}"],
    ids=["order", "twice", "space", "list", "cut", "not text", "deep", "nan", "empty"],
)
def test_a_header_that_is_not_canonical_is_refused_from_a_holder_of_the_key(text: bytes) -> None:
    data = sealed()
    with pytest.raises(Untrusted, match="not as this program writes it"):
        unwrap(signed_anew(data, front=fronted(data, header=text)), RING, HERE)


def test_a_header_that_is_too_large_is_not_made() -> None:
    with pytest.raises(ArtifactError, match="at most 1048576 are stored"):
        wrap({"a": "x" * 2**20}, BODY, HMAC, None, HERE)


# places


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place("model", "shop", "other"),
        Place("model", "other", "m"),
        Place("profile", "shop", "m"),
        Place("snapshot", "shop", "m"),
    ],
    ids=str,
)
def test_an_artifact_of_another_place_is_refused(elsewhere: Place) -> None:
    with pytest.raises(Untrusted, match=f"sealed as {elsewhere} stands in the place of the {HERE}"):
        unwrap(sealed(place=elsewhere), RING, HERE)


def test_an_artifact_of_no_place_stands_in_none() -> None:
    data = wrap(HEADER, BODY, HMAC, None, None)
    assert unwrap(data, RING, None)[1] == BODY
    with pytest.raises(Untrusted, match="sealed for no place"):
        unwrap(data, RING, HERE)


# encryption


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
def test_what_is_not_encrypted_is_refused_where_it_must_be(kind: str) -> None:
    strict = KeyRing([HMAC, PAIR.public], [CIPHER], encrypted_only=True)
    assert unwrap(sealed(f"{kind}, encrypted"), strict, HERE)[1] == BODY
    with pytest.raises(Untrusted, match="is not encrypted, and only encrypted ones are accepted"):
        unwrap(sealed(kind), strict, HERE)


@pytest.mark.parametrize("kind", ["hmac, encrypted", "ed25519, encrypted"])
def test_the_body_is_not_to_be_seen_when_it_is_encrypted(kind: str) -> None:
    assert BODY not in sealed(kind)


def test_without_the_key_it_is_known_to_be_genuine_and_not_read() -> None:
    with pytest.raises(Incompatible, match=r"genuine and encrypted with key 'e1', .*\(e2\)"):
        unwrap(sealed("ed25519, encrypted"), KeyRing([PAIR.public], [NEXT_CIPHER]), HERE)


def test_a_cipher_without_a_key_id_or_the_other_way_round_is_refused() -> None:
    for kind in ("hmac", "hmac, encrypted"):
        data = bytearray(sealed(kind))
        data[9] ^= 1
        with pytest.raises(Untrusted, match="or the other way round"):
            unwrap(bytes(data), RING, HERE)


# digests and renewal


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_is_that_of_the_content_however_it_is_signed_or_hidden(kind: str) -> None:
    assert digest(sealed(kind)) == digest(sealed())
    assert digest(sealed(kind, metadata={})) != digest(sealed())
    assert digest(wrap(HEADER, BODY + b".", HMAC, None, HERE)) != digest(sealed())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sealed_anew_has_the_same_header_and_body_under_other_keys(kind: str) -> None:
    renewed = resealed(sealed(kind), RING, PAIR, NEXT_CIPHER)
    parts: Envelope = split(renewed)
    assert (parts.key_id, parts.encryption_id) == ("2026-b", "e2")
    assert unwrap(renewed, KeyRing([PAIR.public], [NEXT_CIPHER]), HERE) == unwrap(sealed(kind), RING, HERE)


def test_what_is_not_genuine_is_not_sealed_anew() -> None:
    with pytest.raises(Untrusted, match="signature"):
        resealed(sealed()[:-1], RING, PAIR, None)
