"""A certificate authority that lives for one test run, with what it signs for the broker and for a client."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Certificates:
    """PEM files in a folder. `stranger` is an authority that signed nothing here."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Driftline tests")
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(_pem(_certificate(name, key, name, key, authority=True)))

        broker_key = ec.generate_private_key(ec.SECP256R1())
        self.broker = folder / "broker.pem"
        self.broker.write_bytes(_key_pem(broker_key) + _pem(_certificate(_name("broker"), broker_key, name, key)))

        client_key = ec.generate_private_key(ec.SECP256R1())
        self.client, self.client_key = folder / "client.pem", folder / "client.key"
        self.client.write_bytes(_pem(_certificate(_name("client"), client_key, name, key)))
        self.client_key.write_bytes(_key_pem(client_key))

        stranger, stranger_key = _name("Stranger"), ec.generate_private_key(ec.SECP256R1())
        self.stranger = folder / "stranger.pem"
        self.stranger.write_bytes(_pem(_certificate(stranger, stranger_key, stranger, stranger_key, authority=True)))


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    here: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(here), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
