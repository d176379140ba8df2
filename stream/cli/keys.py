"""`driftline keys`: make the keys that models, snapshots and profiles are sealed with, and rotate them."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from stream.cli.auditing import Audited, ByHand
from stream.cli.options import ConfigFile, Json
from stream.cli.printing import NONE, plain, print_json, say, wide_console
from stream.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from learners.artifacts import Trust
    from stream.config.model import Config
    from stream.stores.holdings import Holding, Renewal

app = typer.Typer(
    help="Keys that models, snapshots and profiles are sealed with. How to rotate them: docs/security.md.",
    no_args_is_help=True,
)


class Kind(StrEnum):
    """What a key is for."""

    HMAC = "hmac-sha256"
    ED25519 = "ed25519"
    AES = "aes-256-gcm"


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The file to write the key to; only this user may read it.")],
    algorithm: Annotated[
        Kind,
        typer.Option(
            help="hmac-sha256 signs, by a secret that all share. ed25519 signs, and who only reads needs but the "
            "public half, which is written to FILE.pub. aes-256-gcm encrypts."
        ),
    ] = Kind.HMAC,
) -> None:
    """Make a key. It is written to a file and shown nowhere."""
    texts = {file: f"{secrets.token_hex(32)}\n"}
    if algorithm is Kind.ED25519:
        private, public = _pair()
        texts = {file: private, file.with_name(f"{file.name}.pub"): public}
    _refuse_to_overwrite(*texts)
    for path, text in texts.items():
        secret = path == file
        _write(path, text, 0o600 if secret else 0o644)
        say(f"Wrote {path} ({'a secret: keep it' if secret else 'the public half: for those who only read'}).")
    say(_how_to_use(file.absolute(), algorithm))


@app.command("list")
def list_keys(config: ConfigFile, as_json: Json = False) -> None:
    """List the keys of a service, and what is sealed with each: what would be lost if it were removed now."""
    from stream.config.load import load
    from stream.config.trust import trust_of
    from stream.stores.holdings import holdings

    service = load(config)
    known = _known(service, trust_of(service.security))
    unreadable = _sort_in(holdings(service), known)
    if as_json:
        print_json({"keys": list(known.values()), "unreadable": unreadable})
        return
    table = Table("key", "algorithm", "", "what is sealed with it", title=plain(f"keys of {service.app}"))
    for key in known.values():
        table.add_row(plain(key["id"]), key["algorithm"], key["role"], plain(_counted(key["seals"])))
    console = wide_console()
    console.print(table)
    for key in known.values():
        say(_advice(key))
    for what in unreadable:
        say(f"Not to be read by anybody: {what}")


@app.command()
def resign(config: ConfigFile, audit: Audited = True) -> None:
    """Seal all that is stored with the keys of today, so that older ones can be removed. Services may go on running.

    Content and digests stay; nothing is unpickled. What is not signed with an accepted key is left as it is and told.
    After a key has leaked this would bless what the thief signed: see docs/security.md.
    """
    from stream.config.load import load
    from stream.config.trust import require_signing, trust_of
    from stream.stores.holdings import renew

    service = load(config)
    trust = trust_of(service.security)
    require_signing(trust)
    done = ByHand(service, audit=audit).make(
        "keys.resign", f"app {service.app}", lambda: renew(service, trust), partial(_told, trust)
    )
    say(f"Sealed anew: {done.renewed}. With the keys of today already: {done.kept}.")
    if done.failed:
        raise ModelError(
            f"{len(done.failed)} could not be sealed anew:\n  " + "\n  ".join(done.failed),
            "Accept the keys they need, or remove them.",
        )


def _told(trust: Trust, done: Renewal) -> dict[str, Any]:
    """What the audit tells of it: which keys seal from now on, and how much they do."""
    assert trust.key is not None
    encryption = None if trust.encryption is None else trust.encryption.id
    counts = {"renewed": done.renewed, "kept": done.kept, "failed": len(done.failed)}
    return {"signing": trust.key.id, "encryption": encryption, **counts}


def _known(service: Config, trust: Trust) -> dict[tuple[str, str], dict[str, Any]]:
    """The keys of the configuration, by purpose and id."""
    from learners.keys import PublicKey

    found = {}
    for key_id in sorted(trust.keys.ids, key=lambda name: name != service.security.key_id):
        key = trust.keys.get(key_id)
        assert key is not None
        half = ", public half" if isinstance(key, PublicKey) else ""
        own = key_id == service.security.key_id
        found["signing", key_id] = _entry(key_id, f"{key.algorithm}{half}", "signs" if own else "accepted")
    current = "" if trust.encryption is None else trust.encryption.id
    for key_id in sorted(trust.keys.decrypting_ids, key=lambda name: name != current):
        found["encryption", key_id] = _entry(key_id, Kind.AES, "encrypts" if key_id == current else "decrypts")
    return found


def _entry(key_id: str, algorithm: str, role: str) -> dict[str, Any]:
    return {"id": key_id, "algorithm": str(algorithm), "role": role, "seals": []}


def _sort_in(held: Iterable[Holding], known: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    """Tell each key what it seals; keys that are not known come up so. Returns what is no artifact."""
    from learners.artifacts import ArtifactError

    unreadable = []
    for holding in held:
        try:
            ids = holding.keys
        except ArtifactError as error:
            unreadable.append(f"{holding.what}: {error}")
            continue
        for purpose, key_id in zip(("signing", "encryption"), ids, strict=True):
            if key_id:
                entry = known.setdefault((purpose, key_id), _entry(key_id, NONE, "not accepted"))
                entry["seals"].append(holding.what)
    return unreadable


def _advice(key: dict[str, Any]) -> str:
    seals = key["seals"]
    if key["role"] in ("signs", "encrypts"):
        return f"{key['id']} is in use."
    if key["role"] == "not accepted":
        return f"{key['id']} is not accepted, and {_counted(seals)} cannot be read: {', '.join(seals)}."
    if not seals:
        return f"{key['id']} seals nothing: it can be removed, if it is not about to be used."
    return f"{key['id']} is still needed, until `driftline keys resign`: {', '.join(seals)}."


def _counted(seals: list[str]) -> str:
    """How many of which kind: "2 models, 1 profile"."""
    kinds = Counter(what.split(maxsplit=1)[0] for what in seals)
    return ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in sorted(kinds.items())) or NONE


def _pair() -> tuple[str, str]:
    """A private Ed25519 key and its public half, both in PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _refuse_to_overwrite(*files: Path) -> None:
    for file in files:
        if file.exists():
            raise ConfigError(f"{file} is there already.", "Keys are never overwritten. Name another file.")


def _write(file: Path, text: str, mode: int) -> None:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as opened:
            opened.write(text)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}.") from None


def _how_to_use(file: Path, algorithm: Kind) -> str:
    if algorithm is Kind.AES:
        return f"In the configuration: security.encryption: {{key: {{file: {file}}}, key_id: ...}}"
    named = "" if algorithm is Kind.HMAC else f", algorithm: {algorithm}"
    return f"In the configuration: security: {{signing_key: {{file: {file}{named}}}, key_id: ...}}"
