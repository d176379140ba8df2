"""Whom a service trusts: the keys that artifacts are signed and encrypted with, and what they may be made of."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from learners.keys import Algorithm
from stream.config.fields import Duration, Secret, Section, Words

_MODULE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")

_OURS: Final = frozenset({"stream", "learners", "detectors", "river", "numpy", "msgspec"})
"""Packages of which all that a model needs is let in anyhow, by name."""

_ADAPTERS: Final = "river.compat."
"""The one part of River that no model of River's own needs, and a wrapped model does."""

_PROGRAMS: Final = "IPython docker fabric invoke ipykernel paramiko pexpect psutil sh typer"
_LOADERS: Final = "cffi cloudpickle dill distutils jinja2 joblib numba pip pkg_resources pydantic setuptools torch yaml"
_SERVERS: Final = "confluent_kafka fastapi kafka redis starlette uvicorn valkey"
_NETWORK: Final = "aiohttp boto3 cryptography fsspec httpx httpx2 jwt requests urllib3"
_REACHING_OUT: Final = frozenset(f"{_PROGRAMS} {_LOADERS} {_SERVERS} {_NETWORK}".split())
"""Packages that run programs, load code or pickles, or reach files and hosts. Not all there are: a first hurdle."""


def _harmless(module: str) -> str:
    """Check a module that a model may be made of. Raises ValueError."""
    package = module.partition(".")[0]
    if not _MODULE.fullmatch(module):
        raise ValueError("expected the dotted name of a module, such as my_company.models")
    if package in sys.stdlib_module_names or package in sys.builtin_module_names or package in _REACHING_OUT:
        raise ValueError(
            f"expected modules of models: what {package} holds can run programs, reach files or the network. Name the "
            "module that defines the model's own classes"
        )
    if package in _OURS and not module.startswith(_ADAPTERS):
        raise ValueError(
            f"expected modules of others: what models need of {package} is let in already, and never more of it"
        )
    return module


Module = Annotated[
    str, AfterValidator(_harmless), Words("the dotted name of a module that defines classes of models, and only such")
]


class KeySource(Secret):
    """Where a key is kept, and what it signs with."""

    algorithm: Algorithm = Field(
        Algorithm.HMAC,
        description="hmac-sha256: a secret of at least 32 characters, which whoever checks signatures needs too; "
        "ed25519: a private key that signs (PEM), or the public key, which only checks",
    )


class EncryptionConfig(Section):
    """Encryption of artifacts (models, snapshots, profiles) at rest, by AES-256-GCM. What is not encrypted is then
    refused. Their headers stay readable.
    """

    key: Secret = Field(
        default_factory=lambda: Secret(env="DRIFTLINE_ENCRYPTION_KEY", file=None),
        description="key with which artifacts are encrypted: 64 hexadecimal digits, the same for all workers",
    )
    key_id: str = Field("e1", min_length=1, max_length=32, description="name of the key, written beside what it hides")
    accepted_keys: dict[str, Secret] = Field({}, description="keys that still decrypt, by key id")
    accept_unencrypted: bool = Field(
        False, description="also read what is not encrypted: only until all that was stored before is sealed anew"
    )

    @model_validator(mode="after")
    def _ids_differ(self) -> EncryptionConfig:
        _refuse_twice(self.key_id, self.accepted_keys)
        return self


class TrialConfig(Section):
    """What a pushed pickle may take while it is opened and tried out, in a process of its own."""

    memory: int = Field(
        536_870_912, ge=67_108_864, description="bytes of memory, beyond what the process itself takes (Linux only)"
    )
    time: Duration = Field(60.0, ge=1, le=3600, description="processor time")


class SecurityConfig(Section):
    """Trust in artifacts: models, snapshots and profiles (docs/security.md)."""

    signing_key: KeySource = Field(
        default_factory=lambda: KeySource(env="DRIFTLINE_SIGNING_KEY", file=None),
        description="key with which artifacts are signed, the same for all workers; where nothing is written, the "
        "public half of an Ed25519 key is enough",
    )
    key_id: str = Field("k1", min_length=1, max_length=32, description="name of the key, written into what it signs")
    accepted_keys: dict[str, KeySource] = Field(
        {},
        description="keys whose signatures are accepted too, by key id: the old ones while keys are rotated, or those "
        "of another site",
    )
    encryption: EncryptionConfig | None = Field(None, description="encryption at rest; left out: none")
    modules: list[Module] = Field(
        [], description="modules whose classes models may be made of, beside River's, NumPy's and Driftline's"
    )
    trial: TrialConfig = Field(
        default_factory=TrialConfig, description="what a pushed pickle may take, which nobody has signed"
    )

    @model_validator(mode="after")
    def _ids_differ(self) -> SecurityConfig:
        _refuse_twice(self.key_id, self.accepted_keys)
        return self


def _refuse_twice(key_id: str, accepted: dict[str, Secret] | dict[str, KeySource]) -> None:
    if key_id in accepted:
        raise ValueError(f"accepted_keys: {key_id!r} is the id of the key in use; give each key an id of its own")
