"""From the keys that a configuration names to what is trusted: each for its own algorithm, none ever shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from learners.artifacts import Place, Untrusted
from learners.keys import PublicKey, SigningKey
from stream.config.load import load
from stream.config.security import SecurityConfig
from stream.config.trust import faults_of, require_signing, trust_of
from stream.errors import ConfigError

SECRET = "0123456789abcdef0123456789abcdef"
AES = "00112233445566778899aabbccddeeff" * 2
HERE = Place("model", "shop", "m")

EDGE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def pem(key: Any, encryption: KeySerializationEncryption | None = None) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode())


def public_pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def security(**fields: Any) -> SecurityConfig:
    return SecurityConfig.model_validate(fields)


ED25519 = {"env": "KEY", "algorithm": "ed25519"}
ENCRYPTED = {"encryption": {"key": {"env": "AES"}}}


def test_by_default_one_hmac_key_signs_and_nothing_is_encrypted() -> None:
    trust = trust_of(security(), {"DRIFTLINE_SIGNING_KEY": SECRET})
    assert trust.key == SigningKey("k1", SECRET.encode())
    assert trust.keys.ids == ["k1"]
    assert trust.encryption is None
    assert not trust.keys.encrypted_only


def test_a_private_ed25519_key_signs_what_its_public_half_accepts() -> None:
    centre = trust_of(security(key_id="centre", signing_key=ED25519), {"KEY": pem(EDGE)})
    edge = trust_of(security(key_id="centre", signing_key=ED25519), {"KEY": public_pem(EDGE)})
    assert edge.open(centre.seal([1], HERE, {}), HERE) == ({}, [1])


def test_where_there_is_only_the_public_half_nothing_can_be_signed() -> None:
    edge = trust_of(security(signing_key=ED25519), {"KEY": public_pem(EDGE)})
    assert isinstance(edge.keys.get("k1"), PublicKey)
    with pytest.raises(ConfigError, match="public half of a key, which checks signatures and cannot sign"):
        require_signing(edge)


@pytest.mark.parametrize("write", [pem, public_pem])
def test_the_lines_of_dashes_may_be_left_out(write: Any) -> None:
    one_line = "".join(line for line in write(EDGE).splitlines() if not line.startswith("-"))
    whole, bare = (trust_of(security(signing_key=ED25519), {"KEY": text}) for text in (write(EDGE), one_line))
    assert bare.keys.get("k1") == whole.keys.get("k1")


def test_a_ring_may_mix_both_algorithms_while_keys_are_rotated() -> None:
    old = trust_of(security(key_id="k1"), {"DRIFTLINE_SIGNING_KEY": SECRET})
    new = trust_of(
        security(key_id="k2", signing_key=ED25519, accepted_keys={"k1": {"env": "OLD"}}),
        {"KEY": pem(EDGE), "OLD": SECRET},
    )
    assert new.keys.ids == ["k1", "k2"]
    assert new.open(old.seal([1], HERE, {}), HERE) == ({}, [1])
    with pytest.raises(Untrusted, match="'k2', which is not among the accepted keys"):
        old.open(new.seal([1], HERE, {}), HERE)


def test_of_an_accepted_ed25519_key_the_public_half_will_do() -> None:
    trust = trust_of(
        security(accepted_keys={"centre": ED25519}), {"DRIFTLINE_SIGNING_KEY": SECRET, "KEY": public_pem(EDGE)}
    )
    assert trust.keys.ids == ["centre", "k1"]


@pytest.mark.parametrize("write", [pem, public_pem, lambda key: "".join(public_pem(key).splitlines()[1:-1])])
def test_a_key_in_pem_is_never_taken_for_an_hmac_secret(write: Any) -> None:
    text = write(EDGE)
    with pytest.raises(ConfigError, match="this is a key in PEM, and the algorithm is hmac-sha256") as refused:
        trust_of(security(signing_key={"env": "KEY"}), {"KEY": text})
    assert text.splitlines()[-1] not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        AES,
        pem(X25519PrivateKey.from_private_bytes(bytes(range(32)))),
        pem(EDGE, BestAvailableEncryption(b"passphrase")),
        pem(EDGE)[:60],
    ],
    ids=["hmac", "hex", "x25519", "passphrase", "cut off"],
)
def test_what_is_no_ed25519_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match=r"security\.signing_key: this is no Ed25519 key in PEM") as refused:
        trust_of(security(signing_key=ED25519), {"KEY": text})
    assert text[-20:-2] not in str(refused.value)


def test_a_short_key_is_refused_with_the_cure_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="the key has 7 characters; expected at least 32") as refused:
        trust_of(security(), {"DRIFTLINE_SIGNING_KEY": "hunter2"})
    assert "hunter2" not in str(refused.value)
    assert "driftline keys new" in str(refused.value)


def test_a_missing_key_is_told_with_its_field_and_the_cure() -> None:
    with pytest.raises(ConfigError, match=r"security\.accepted_keys\.k0: the environment variable OLD is not set"):
        trust_of(security(accepted_keys={"k0": {"env": "OLD"}}), {"DRIFTLINE_SIGNING_KEY": SECRET})
    with pytest.raises(ConfigError, match=r"security\.encryption\.key: the environment variable AES is not set"):
        trust_of(security(**ENCRYPTED), {"DRIFTLINE_SIGNING_KEY": SECRET})


def test_with_a_key_for_it_all_is_encrypted_and_nothing_else_accepted() -> None:
    environment = {"DRIFTLINE_SIGNING_KEY": SECRET, "AES": AES}
    plain, hidden = trust_of(security(), environment), trust_of(security(**ENCRYPTED), environment)
    assert hidden.open(hidden.seal([1], HERE, {}), HERE) == ({}, [1])
    with pytest.raises(Untrusted, match="not encrypted"):
        hidden.open(plain.seal([1], HERE, {}), HERE)


def test_what_is_not_encrypted_can_be_read_for_as_long_as_it_takes_to_seal_it_anew() -> None:
    environment = {"DRIFTLINE_SIGNING_KEY": SECRET, "AES": AES}
    plain = trust_of(security(), environment).seal([1], HERE, {})
    lenient = trust_of(security(encryption={"key": {"env": "AES"}, "accept_unencrypted": True}), environment)
    strict = trust_of(security(**ENCRYPTED), environment)
    assert strict.open(lenient.renewed(plain), HERE) == ({}, [1])


def test_an_old_encryption_key_still_decrypts() -> None:
    environment = {"DRIFTLINE_SIGNING_KEY": SECRET, "AES": AES, "NEW": AES[::-1]}
    old = trust_of(security(**ENCRYPTED), environment)
    new = trust_of(
        security(encryption={"key": {"env": "NEW"}, "key_id": "e2", "accepted_keys": {"e1": {"env": "AES"}}}),
        environment,
    )
    assert new.open(old.seal([1], HERE, {}), HERE) == ({}, [1])


@pytest.mark.parametrize("text", [AES[:-2], AES + "00", "x" * 64, SECRET])
def test_an_encryption_key_that_is_not_64_digits_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match=f"has {len(text)} characters; expected 64 hexadecimal digits") as refused:
        trust_of(security(**ENCRYPTED), {"DRIFTLINE_SIGNING_KEY": SECRET[::-1], "AES": text})
    assert text not in str(refused.value)


def test_one_secret_does_not_serve_two_purposes() -> None:
    with pytest.raises(ConfigError, match="this secret signs too") as refused:
        trust_of(security(**ENCRYPTED), {"DRIFTLINE_SIGNING_KEY": AES, "AES": AES})
    assert AES not in str(refused.value)


CONFIG = """
app: shop
topics: {{events: e, labels: l, predictions: p, alerts: a, dead_letters: d}}
events: {{id: id, time: ts, features: {{x: {{type: number}}}}}}
model: {{name: m, problem: binary, learner: {{kind: logistic}}}}
security: {{{security}}}
"""


def refusal_of(tmp_path: Path, text: str) -> str:
    file = tmp_path / "shop.yaml"
    file.write_text(CONFIG.format(security=text))
    with pytest.raises(ConfigError) as refused:
        load(file)
    return str(refused.value)


def test_two_keys_of_one_id_are_refused(tmp_path: Path) -> None:
    told = refusal_of(tmp_path, "accepted_keys: {k1: {env: OLD}}")
    assert "security.accepted_keys: 'k1' is the id of the key in use" in told
    told = refusal_of(tmp_path, "encryption: {accepted_keys: {e1: {env: OLD}}}")
    assert "security.encryption.accepted_keys: 'e1' is the id of the key in use" in told


@pytest.mark.parametrize("text", ["signing_key: hunter2", "encryption: {key: hunter2}", "accepted_keys: {k0: hunter2}"])
def test_a_secret_in_the_file_itself_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    told = refusal_of(tmp_path, text)
    assert "Name the environment variable or the file that holds it." in told
    assert "hunter2" not in told


def test_an_unknown_algorithm_is_told_with_those_there_are(tmp_path: Path) -> None:
    told = refusal_of(tmp_path, "signing_key: {env: KEY, algorithm: rs256}")
    assert 'security.signing_key.algorithm: got "rs256"; expected one of hmac-sha256, ed25519.' in told


@pytest.mark.parametrize(
    "module",
    ["os", "builtins", "subprocess", "posix", "nt", "importlib.util", "_io", "pickle", "pip._internal", "cloudpickle"],
)
def test_a_module_that_runs_programs_or_loads_code_is_refused(tmp_path: Path, module: str) -> None:
    told = refusal_of(tmp_path, f"modules: [{module}]")
    assert f'security.modules[0]: got "{module}"; expected modules of models: ' in told
    assert "can run programs, reach files or the network" in told


@pytest.mark.parametrize("module", ["river.datasets", "river.stream.cache", "learners.unpickle", "stream.cli", "numpy"])
def test_modules_of_ours_and_of_river_are_not_to_be_opened_further(tmp_path: Path, module: str) -> None:
    assert "is let in already, and never more of it" in refusal_of(tmp_path, f"modules: [{module}]")


@pytest.mark.parametrize("module", ["", "a b", "a..b", ".a", "a/b", "../a", "7up"])
def test_what_is_no_module_is_refused(tmp_path: Path, module: str) -> None:
    assert "expected the dotted name of a module" in refusal_of(tmp_path, f"modules: ['{module}']")


def test_modules_of_ones_own_and_rivers_adapters_may_be_named() -> None:
    modules = ["my_company.models", "sklearn.linear_model._logistic", "river.compat.sklearn_to_river"]
    trust = trust_of(security(modules=modules), {"DRIFTLINE_SIGNING_KEY": SECRET})
    assert trust.modules == tuple(modules)


def test_each_key_that_is_missing_or_wrong_is_named() -> None:
    named = security(
        accepted_keys={"old": {"env": "OLD"}, "edge": {"env": "EDGE"}},
        encryption={"key": {"env": "AES"}, "accepted_keys": {"e0": {"env": "AES0"}}},
    )

    faults = [error.message for error in faults_of(named, {"OLD": "short", "EDGE": SECRET, "AES0": AES})]

    assert faults == [
        "security.accepted_keys.old: the key has 5 characters; expected at least 32.",
        "security.signing_key: the environment variable DRIFTLINE_SIGNING_KEY is not set.",
        "security.encryption.key: the environment variable AES is not set.",
    ]


def test_where_every_key_is_there_nothing_is_wrong() -> None:
    assert list(faults_of(security(**ENCRYPTED), {"DRIFTLINE_SIGNING_KEY": SECRET, "AES": AES})) == []
