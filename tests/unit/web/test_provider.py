"""Tokens of an identity provider."""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from stream.config.web import HttpConfig, JwtConfig, Role
from stream.errors import ConfigError
from stream.web.access import Access
from stream.web.errors import Refused
from stream.web.provider import FRESH, PAUSE, Provider
from tests.unit.web.support import World

ISSUER = "https://id.example"
KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())


def jwks(**keys: Any) -> bytes:
    """The public halves, by key id."""
    told = []
    for kid, key in keys.items():
        algorithm = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
        public: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
        told.append(public | {"kid": kid, "use": "sig"})
    return json.dumps({"keys": told}).encode()


def config(**changes: Any) -> JwtConfig:
    roles = {"drift-ops": "operator", "drift-admins": "admin", "staff": "viewer"}
    return JwtConfig.model_validate({"issuer": ISSUER, "audience": "driftline", "roles": roles} | changes)


def token(
    key: Any = KEY, kid: str | None = "k1", algorithm: str = "RS256", without: str | None = None, **claims: Any
) -> str:
    told = {
        "iss": ISSUER,
        "aud": "driftline",
        "sub": "u-17",
        "preferred_username": "anna",
        "exp": time.time() + 300,
        "roles": ["drift-ops"],
    } | claims
    told.pop(without or "", None)
    return jwt.encode(told, key, algorithm, {"kid": kid} if kid else {})


class Line:
    """The line to the provider: what it answers at which address, and what was asked."""

    def __init__(self, keys: bytes) -> None:
        self.answers = {
            f"{ISSUER}/.well-known/openid-configuration": json.dumps(
                {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", "token_endpoint": "x"}
            ).encode(),
            f"{ISSUER}/keys": keys,
        }
        self.asked: list[str] = []
        self.down = False
        self.now = 1000.0

    def fetch(self, where: str) -> bytes:
        self.asked.append(where)
        if self.down:
            raise OSError("no route to host")
        return self.answers[where]


@pytest.fixture
def line() -> Line:
    return Line(jwks(k1=KEY))


@pytest.fixture
def provider(line: Line) -> Provider:
    return Provider(config(), line.fetch, lambda: line.now)


def refusal(provider: Provider, token: str) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        provider.caller(token)
    return caught.value.status_code, caught.value.detail


def test_a_token_of_the_provider_gives_the_role_of_its_claim(provider: Provider) -> None:
    assert provider.caller(token()) == ("anna (u-17)", Role.OPERATOR)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"roles": "staff"}, Role.VIEWER),
        ({"roles": ["staff", "drift-admins", "unknown"]}, Role.ADMIN),
        ({"roles": ["unknown", 7, None, "drift-ops"]}, Role.OPERATOR),
    ],
)
def test_the_highest_role_counts(provider: Provider, claims: dict[str, Any], role: Role) -> None:
    assert provider.caller(token(**claims))[1] is role


def test_a_claim_may_be_inside_others(line: Line) -> None:
    inside = Provider(config(claim="realm_access.roles"), line.fetch, lambda: line.now)
    assert inside.caller(token(realm_access={"roles": ["staff"]}))[1] is Role.VIEWER
    assert refusal(inside, token(realm_access="staff"))[0] == 403


@pytest.mark.parametrize("roles", [[], ["unknown"], 7, {"drift-ops": True}, None])
def test_a_token_without_a_role_here_is_known_and_may_nothing(provider: Provider, roles: Any) -> None:
    code, detail = refusal(provider, token(roles=roles))
    assert code == 403
    assert "anna (u-17)" in detail


@pytest.mark.parametrize(
    "bad",
    [
        {"exp": 1_000_000_000},
        {"nbf": 4_000_000_000},
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"without": "exp"},
        {"without": "aud"},
        {"without": "iss"},
        {"without": "sub"},
        {"key": OTHER},
        {"kid": "k9"},
        {"key": "0123456789abcdef0123456789abcdef", "algorithm": "HS256"},
        {"algorithm": "RS384"},
        {"key": CURVE, "algorithm": "ES256"},
    ],
    ids=" ".join,
)
def test_a_token_is_refused_for_any_one_thing(provider: Provider, bad: dict[str, Any]) -> None:
    assert refusal(provider, token(**bad))[0] == 401


def test_only_signatures_of_the_configuration_are_accepted(line: Line) -> None:
    curves_only = Provider(config(algorithms=["ES256"]), line.fetch, lambda: line.now)
    assert refusal(curves_only, token())[0] == 401


def test_a_token_that_nobody_signed_is_refused(provider: Provider) -> None:
    told = {"iss": ISSUER, "aud": "driftline", "sub": "u", "exp": time.time() + 9, "roles": "drift-admins"}
    assert refusal(provider, jwt.encode(told, "", algorithm="none", headers={"kid": "k1"}))[0] == 401


def test_the_public_key_taken_for_a_secret_signs_nothing_here(provider: Provider) -> None:
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    told = {"iss": ISSUER, "aud": "driftline", "sub": "u", "exp": time.time() + 9, "roles": "drift-admins"}
    head, body = (
        base64url_encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "k1", "typ": "JWT"}, told)
    )
    signature = base64url_encode(hmac.digest(public, head + b"." + body, "sha256"))
    assert refusal(provider, b".".join((head, body, signature)).decode())[0] == 401


def test_the_clocks_may_differ_by_the_leeway(line: Line) -> None:
    assert Provider(config(leeway=90), line.fetch, lambda: line.now).caller(token(exp=time.time() - 60))
    assert refusal(Provider(config(leeway=0), line.fetch, lambda: line.now), token(exp=time.time() - 1))[0] == 401


def test_keys_are_asked_for_once(provider: Provider, line: Line) -> None:
    for _ in range(5):
        provider.caller(token())
    assert line.asked == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]


def test_a_new_key_of_the_provider_is_taken_up(provider: Provider, line: Line) -> None:
    provider.caller(token())
    line.answers[f"{ISSUER}/keys"] = jwks(k1=KEY, k2=OTHER)
    line.now += PAUSE
    assert provider.caller(token(OTHER, "k2"))[1] is Role.OPERATOR


def test_a_key_that_the_provider_withdrew_counts_no_more_after_a_while(provider: Provider, line: Line) -> None:
    provider.caller(token())
    line.answers[f"{ISSUER}/keys"] = jwks(k2=OTHER)
    line.now += FRESH
    assert refusal(provider, token())[0] == 401


def test_made_up_key_ids_do_not_make_us_ask_more_than_twice_a_minute(provider: Provider, line: Line) -> None:
    for n in range(50):
        assert refusal(provider, token(OTHER, f"made-up-{n}"))[0] == 401
        line.now += 1.0
    assert line.asked.count(f"{ISSUER}/keys") == 2


def test_known_keys_go_on_to_count_while_the_provider_is_away(provider: Provider, line: Line) -> None:
    provider.caller(token())
    line.down = True
    line.now += 10 * FRESH
    assert provider.caller(token())[1] is Role.OPERATOR


def test_a_provider_that_was_never_reached_is_no_fault_of_the_caller(provider: Provider, line: Line) -> None:
    line.down = True
    assert refusal(provider, token())[0] == 503
    line.down = False
    assert refusal(provider, token())[0] == 503, "it was asked a moment ago"
    line.now += PAUSE
    assert provider.caller(token())


@pytest.mark.parametrize(
    "discovered",
    [
        {"issuer": "https://evil.example", "jwks_uri": f"{ISSUER}/keys"},
        {"issuer": ISSUER, "jwks_uri": "http://id.example/keys"},
        {"issuer": ISSUER},
    ],
)
def test_a_discovery_that_is_not_the_issuers_is_not_followed(
    provider: Provider, line: Line, discovered: dict[str, str]
) -> None:
    line.answers[f"{ISSUER}/.well-known/openid-configuration"] = json.dumps(discovered).encode()
    assert refusal(provider, token())[0] == 503


NO_KEYS = [
    *(b"", b"[]", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', b"<html>"),
    jwks(k1=KEY).replace(b'"sig"', b'"enc"'),
]


@pytest.mark.parametrize("answer", NO_KEYS)
def test_what_are_no_public_keys_is_not_taken(provider: Provider, line: Line, answer: bytes) -> None:
    line.answers[f"{ISSUER}/keys"] = answer
    assert refusal(provider, token())[0] == 503


@pytest.mark.parametrize("answer", NO_KEYS)
def test_known_keys_go_on_to_count_while_the_provider_tells_none(provider: Provider, line: Line, answer: bytes) -> None:
    provider.caller(token())
    line.answers[f"{ISSUER}/keys"] = answer
    line.now += FRESH
    assert provider.caller(token())[1] is Role.OPERATOR


def test_keys_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(k1=KEY, e1=CURVE))
    provider = Provider(config(keys=str(file), issuer="our-own"))
    assert provider.caller(token(iss="our-own"))[1] is Role.OPERATOR
    assert provider.caller(token(CURVE, "e1", "ES256", iss="our-own"))[1] is Role.OPERATOR


def test_one_key_needs_no_name(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_bytes(jwks(k1=KEY))
    (tmp_path / "two.json").write_bytes(jwks(k1=KEY, k2=OTHER))
    assert Provider(config(keys=str(tmp_path / "one.json"))).caller(token(kid=None))
    assert refusal(Provider(config(keys=str(tmp_path / "two.json"))), token(kid=None))[0] == 401


@pytest.fixture
def site() -> Iterator[str]:
    """Where a provider's keys are at /keys, and at other addresses what must not be taken for them."""
    keys = jwks(k1=KEY)
    answers = {
        "/keys": (200, keys),
        "/moved": (302, b""),
        "/failed": (500, keys),
        "/endless": (200, keys + b" " * 1_000_000),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, body = answers[self.path]
            self.send_response(code)
            self.send_header("Location", "/keys")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # nobody reads it to its end
                self.wfile.write(body)

        def log_message(self, *said: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_keys_are_had_from_an_address_on_this_machine_without_tls(site: str) -> None:
    assert Provider(config(keys=f"{site}/keys")).caller(token())[1] is Role.OPERATOR


@pytest.mark.parametrize("path", ["/moved", "/failed", "/endless"])
def test_keys_are_not_taken_from_a_redirect_a_failure_or_an_endless_answer(site: str, path: str) -> None:
    assert refusal(Provider(config(keys=f"{site}{path}")), token())[0] == 503


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"keys": "http://id.example/keys"}, r"http\.auth\.jwt\.keys: 'http://id\.example/keys' is no https address"),
        ({"issuer": "http://id.example"}, r"http\.auth\.jwt\.issuer: .* is no https address"),
        ({"issuer": "our-own"}, r"http\.auth\.jwt\.issuer: 'our-own' is no address"),
        ({"keys": "/nowhere/jwks.json"}, r"http\.auth\.jwt\.keys: /nowhere/jwks\.json cannot be read"),
    ],
)
def test_keys_that_cannot_be_trusted_are_told_at_the_start(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Provider(config(**changes))


def test_the_provider_is_not_waited_for_in_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def caller(provider: Provider, token: str) -> tuple[str, Role]:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return "anna", Role.VIEWER

    monkeypatch.setattr(Provider, "caller", caller)
    client = World({"auth": {"jwt": config().model_dump(mode="json")}}).client()
    assert client.get("/v1/me", headers={"Authorization": "Bearer a.b.c"}).json()["name"] == "anna"


def test_tokens_of_ours_and_of_the_provider_count_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(jwks(k1=KEY))
    auth = {"jwt": config(keys=str(tmp_path / "jwks.json")).model_dump(mode="json"), "everybody": None}
    access = Access(HttpConfig.model_validate({"host": "0.0.0.0", "auth": auth}))
    assert access.asks
    assert access.caller(f"bearer {token()}", "10.0.0.1", forwarded=False).name == "anna (u-17)"
    with pytest.raises(Refused, match="This token is not known here"):
        access.caller("bearer guess", "10.0.0.1", forwarded=False)
