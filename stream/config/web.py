"""Where the page, the API, the metrics and the health of a service are, who may do what there, and how much of it."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from stream.config.fields import Duration, Section, Words


class Role(StrEnum):
    """What somebody may do. Each may do what those before it may."""

    VIEWER = "viewer"
    """See everything but secrets."""
    OPERATOR = "operator"
    """Acknowledge alerts, promote and roll back, pause and resume, ask for predictions."""
    ADMIN = "admin"
    """Bring in models from elsewhere."""

    def may(self, needed: Role) -> bool:
        """Whether this role is enough where that one is needed."""
        return list(Role).index(self) >= list(Role).index(needed)


Sha256 = Annotated[
    str, Field(pattern=r"^[0-9a-f]{64}$"), Words("64 hexadecimal digits, as `driftline tokens new` prints them")
]


class TokenConfig(Section):
    """A bearer token, of which only the digest is kept. `driftline tokens new` makes one."""

    name: str = Field(min_length=1, max_length=100, description="whose it is, for the audit")
    role: Role = Field(description="what it allows: viewer, operator or admin")
    sha256: Sha256 = Field(description="SHA-256 of the token")


class JwtConfig(Section):
    """Tokens of an identity provider (OpenID Connect, or any that signs JWTs)."""

    issuer: str = Field(min_length=1, description="the `iss` that tokens must have")
    audience: str = Field(min_length=1, description="the `aud` that tokens must have")
    keys: str | None = Field(
        None,
        description="where the provider's public keys are (JWKS): an https address or a file; left out: as the "
        "provider tells at {issuer}/.well-known/openid-configuration",
    )
    algorithms: list[Literal["RS256", "RS512", "PS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"]] = Field(
        ["RS256", "ES256", "EdDSA"], min_length=1, description="signatures that are accepted"
    )
    claim: str = Field("roles", min_length=1, description="claim that says what somebody is: a text or a list of them")
    roles: dict[str, Role] = Field(min_length=1, description="role here by value of that claim; the highest counts")
    leeway: Duration = Field(30.0, ge=0, le=600, description="how far the provider's clock may be from this one's")


class AuthConfig(Section):
    """Who may look, and who may change something."""

    tokens: list[TokenConfig] = Field([], description="bearer tokens")
    tokens_file: Path | None = Field(None, description="file with more of them, a YAML list as under `tokens`")
    jwt: JwtConfig | None = Field(None, description="tokens of an identity provider; left out: none")
    everybody: Role | None = Field(
        Role.VIEWER,
        description="what everybody may who reaches a loopback address, token or not; null: nothing. On other "
        "addresses this says nothing: there a token is always needed",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> AuthConfig:
        names = [token.name for token in self.tokens]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"tokens: {twice[0]!r} stands there twice; give each token a name of its own")
        return self


class ServerTlsConfig(Section):
    """TLS of the page and the API."""

    cert_file: Path = Field(description="certificate with the chain up to its authority (PEM)")
    key_file: Path = Field(description="its private key (PEM)")


class LimitsConfig(Section):
    """How much one client may ask for. Metrics and health are not limited."""

    requests: int = Field(600, ge=1, description="requests a minute of one address or token")
    changes: int = Field(60, ge=1, description="of these, requests that change something or ask for a prediction")
    streams: int = Field(20, ge=1, description="live pages at once, of everybody")
    body: int = Field(1_048_576, ge=1024, description="bytes of a request's body; longer ones are refused unread")
    model_body: int = Field(67_108_864, ge=1024, description="the same where models are pushed")


class HttpConfig(Section):
    """The page, the API, /metrics, /healthz and /readyz (docs/api.md)."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    tls: ServerTlsConfig | None = Field(None, description="TLS; left out: none, or before this service")
    auth: AuthConfig = Field(default_factory=AuthConfig, description="who may look, and who may change something")
    names: list[str] = Field(
        [],
        description="host names under which it is reached, beside those of loopback; empty: none on loopback "
        "addresses, any on others",
    )
    limits: LimitsConfig = Field(default_factory=LimitsConfig, description="how much one client may ask for")

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)

    @property
    def closed(self) -> bool:
        """Whether nobody at all may use the page and the API."""
        anybody = self.loopback and self.auth.everybody is not None
        return not (anybody or self.auth.tokens or self.auth.tokens_file or self.auth.jwt)


def is_loopback(host: str) -> bool:
    """Whether a host, as it stands in an address, is this machine as itself."""
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
