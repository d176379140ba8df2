"""Certificates in files: what is wrong with them is said with the field that named them, and nobody is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from stream.config.redis import RedisConfig
from stream.errors import ConfigError
from stream.stores.connection import address, connect
from stream.tls import show_certificate, trusting
from tests.integration.clients.certificates import Certificates


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def refusal(ours: Certificates, key: Path, password: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        show_certificate(trusting(None, "ca"), str(ours.client), str(key), "kafka.tls.cert_file", password)
    return str(caught.value)


def test_a_certificate_with_its_key_is_taken(certificates: Certificates) -> None:
    context = trusting(str(certificates.authority), "kafka.tls.ca_file")
    show_certificate(context, str(certificates.client), str(certificates.client_key), "kafka.tls.cert_file")

    assert len(context.get_ca_certs()) == 1


def test_a_key_of_another_certificate_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame")
        )
    )

    assert "key and certificate do not belong together" in refusal(certificates, other, "open sesame")


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(certificates: Certificates) -> None:
    key = load_pem_private_key(certificates.client_key.read_bytes(), None)
    certificates.client_key.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    )

    assert "or the key has a password" in refusal(certificates, certificates.client_key)


def test_files_that_are_not_there_are_named(certificates: Certificates, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kafka\.tls\.ca_file: nowhere\.pem cannot be used: No such file"):
        trusting("nowhere.pem", "kafka.tls.ca_file")
    assert f"client.pem with {tmp_path / 'gone'} cannot be used: No such file" in refusal(
        certificates, tmp_path / "gone"
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "rediss://h?ssl_ca_certs=/nowhere.pem",
            r"redis\.url: ssl_ca_certs: /nowhere\.pem cannot be used: No such file or directory\.",
        ),
        (f"rediss://h?ssl_ca_certs={__file__}", r"cannot be used: it holds no certificate in PEM\."),
        (
            f"rediss://h?ssl_certfile={__file__}",
            r"redis\.url: ssl_certfile and ssl_keyfile: .* cannot be used: it is no PEM file",
        ),
        ("rediss://h?ssl_cert_reqs=perhaps", r"redis\.url: .*perhaps"),
        ("redis://h?ssl_ca_certs=/x.pem", r"has the option 'ssl_ca_certs', which this kind of address does not take\."),
    ],
    ids=["missing", "no certificate", "no pair", "no such word", "no TLS"],
)
def test_what_redis_would_trip_over_when_it_connects_is_said_before(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        connect(RedisConfig(url=url))


def test_redis_takes_files_that_are_of_use(certificates: Certificates) -> None:
    files = f"ssl_certfile={certificates.client}&ssl_keyfile={certificates.client_key}"

    client = connect(RedisConfig(url=f"rediss://h?ssl_ca_certs={certificates.authority}&{files}"))

    assert address(client) == "h:6379"
