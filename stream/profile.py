"""The profile of a stream: a sample of its events from when all was well, for detectors to compare with.

As a file it is JSON. The sample is drawn at random and in random order, so that its first events are a sample too: each
detector takes as many as its reference holds.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cached_property
from types import GenericAlias
from typing import Final, Literal, TypeAlias

import msgspec

from stream.config.model import Config
from stream.errors import DataError
from stream.records import Features
from stream.schema import Field, event_fields

FORMAT: Final = 1
"""Version of the profiles that are written; others are not read."""

_ANEW: Final = "Build it anew with `driftline profile build`."

Value: TypeAlias = float | str | bool | None


class Profile(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """`events` of them, and `dead_letters`, were in the `source` that it was drawn from, with this `seed`.

    `times` are those of the sampled events, in seconds since the epoch; `features` has their values by the name of the
    feature, None where an event had none.
    """

    format: Literal["driftline-profile"] = "driftline-profile"
    version: int = FORMAT
    model: str
    made: datetime
    source: str
    events: int
    dead_letters: int
    seed: int
    times: list[float]
    features: dict[str, list[Value]]

    @property
    def rows(self) -> list[Features]:
        """The sampled events, as detectors take them."""
        columns = zip(*self.features.values(), strict=True)
        return [dict(zip(self.features, values, strict=True)) for values in columns]

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of the sample: the same for the same values, whenever and wherever it was made."""
        return hashlib.sha256(msgspec.json.encode([self.times, self.features], order="sorted")).hexdigest()


def encode(profile: Profile) -> bytes:
    """The profile as JSON, one line to a feature."""
    known = msgspec.to_builtins(profile)
    last = known.pop("times"), known.pop("features")
    head = [f"  {_json(name)}: {_json(value)},\n" for name, value in known.items()]
    columns = [f"    {_json(name)}: {_json(values)}" for name, values in last[1].items()]
    body = f'  "times": {_json(last[0])},\n  "features": {{\n' + ",\n".join(columns) + "\n  }\n"
    return f"{{\n{''.join(head)}{body}}}\n".encode()


def decode(data: bytes, config: Config) -> Profile:
    """The profile in these bytes. It may lack features.

    Raises DataError for what is no profile, is of another version, or has values that an event may not have.
    """
    try:
        version = msgspec.json.decode(data, type=_Head).version
        if version != FORMAT:
            raise DataError(
                f"it is of version {version}; expected {FORMAT}.",
                f"{_ANEW[:-1]}, or use the version of Driftline that wrote it.",
            )
        profile = msgspec.json.decode(data, type=Profile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"it is no profile: {error}.", _ANEW) from None
    for name, values in profile.features.items():
        if len(values) != len(profile.times):
            raise DataError(f"feature {name!r} has {len(values)} values of {len(profile.times)} events.", _ANEW)
    for field in event_fields(config.events, config.model):
        if isinstance(field.key, str) and field.key in profile.features:
            _check(field, profile.features[field.key])
    return profile


class _Head(msgspec.Struct):
    """What all versions have."""

    format: Literal["driftline-profile"]
    version: int


def _check(field: Field, values: list[Value]) -> None:
    try:
        msgspec.convert(values, GenericAlias(list, (field.type | None,)))
    except msgspec.ValidationError as error:
        raise DataError(
            f"{field.name} is declared as {field.expected}; in the profile: {error}.",
            "Build it anew with this configuration, or correct events.features.",
        ) from None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
