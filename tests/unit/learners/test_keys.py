"""Keys: one algorithm each, told apart, never shown."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from learners.keys import Algorithm, EncryptionKey, KeyRing, PublicKey, SigningKey

HMAC = SigningKey("2026-a", b"sixteen bytes or more")
PAIR = SigningKey("2026-b", bytes(range(32)), Algorithm.ED25519)
CIPHER = EncryptionKey("e1", bytes(32))


def test_an_hmac_signature_is_that_of_rfc_2104() -> None:
    expected = hmac.new(HMAC.secret, b"one and another", hashlib.sha256).digest()
    assert HMAC.sign(b"one ", b"and another") == expected
    assert HMAC.verify(expected, b"one and another")


def test_an_ed25519_signature_is_that_of_rfc_8032() -> None:
    """Test 2 of its section 7.1."""
    key = SigningKey(
        "rfc",
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
        Algorithm.ED25519,
    )
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert key.public.public_bytes.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert key.sign(b"\x72") == signature
    assert key.public.verify(signature, b"\x72")
    assert not key.public.verify(signature, b"\x73")


def test_the_public_half_cannot_sign() -> None:
    assert not hasattr(PAIR.public, "sign")
    with pytest.raises(ValueError, match="no public half"):
        _ = HMAC.public


def test_each_encryption_draws_another_nonce() -> None:
    first, second = CIPHER.encrypt(b"the same", b""), CIPHER.encrypt(b"the same", b"")
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert CIPHER.decrypt(*first, b"") == CIPHER.decrypt(*second, b"") == b"the same"


def test_nothing_decrypts_under_another_key_nonce_or_associated_data() -> None:
    nonce, hidden = CIPHER.encrypt(b"plain", b"header")
    assert CIPHER.decrypt(nonce, hidden, b"header") == b"plain"
    assert CIPHER.decrypt(nonce, hidden, b"another") is None
    assert CIPHER.decrypt(bytes(12), hidden, b"header") is None
    assert CIPHER.decrypt(nonce, hidden[:-1] + bytes([hidden[-1] ^ 1]), b"header") is None
    assert EncryptionKey("e1", bytes(31) + b"1").decrypt(nonce, hidden, b"header") is None


@pytest.mark.parametrize("shown", [repr(HMAC), repr(PAIR), repr(CIPHER), str(HMAC)])
def test_a_secret_is_never_printed(shown: str) -> None:
    for key in (HMAC, PAIR, CIPHER):
        assert repr(key.secret)[2:-1] not in shown


def test_a_short_secret_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match="5 bytes; expected 16 or more") as refused:
        SigningKey("k", b"short")
    assert "short" not in str(refused.value)


def test_keys_of_the_wrong_length_are_refused_and_not_shown() -> None:
    for make in (
        lambda: SigningKey("k", b"wrongwrong", Algorithm.ED25519),
        lambda: PublicKey("k", b"wrongwrong"),
        lambda: EncryptionKey("k", b"wrongwrong"),
    ):
        with pytest.raises(ValueError, match="has 32 bytes; this one has 10") as refused:
            make()
        assert "wrong" not in str(refused.value)


def test_an_id_that_stands_for_two_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="'2026-a' stands for two keys"):
        KeyRing([HMAC, SigningKey("2026-a", b"another secret of sixteen")])
    with pytest.raises(ValueError, match="'2026-b' stands for two keys"):
        KeyRing([PAIR, SigningKey("2026-b", PAIR.public.public_bytes)])
    with pytest.raises(ValueError, match="'e1' stands for two encryption keys"):
        KeyRing([HMAC], [CIPHER, EncryptionKey("e1", b"x" * 32)])


def test_an_id_that_does_not_fit_is_refused() -> None:
    for key_id in ("", "k" * 256):
        with pytest.raises(ValueError, match="expected 1 to 255"):
            EncryptionKey(key_id, bytes(32))
