"""Records as they should not be, and some as they should, made from a seed: what producers with bugs, old versions and
bad luck put on a topic.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from stream.testing import Raw

Maker = Callable[[random.Random, dict[str, Any]], bytes | None]

IDS: list[Any] = [
    "",
    "a",
    "x" * 512,
    "x" * 513,
    "\u0000",
    "🦀" * 100,
    "Zoë",
    "مرحبا",
    "\u202e",
    "e1' OR 1=1",
    0,
    -1,
    2**63 - 1,
    2**63,
    10**400,
    1.0,
    1.5,
    True,
    None,
    [],
    {},
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -0.0,
    1,
    -1,
    1e308,
    -1e308,
    5e-324,
    2**63,
    10**400,
    "",
    "1",
    "NaN",
    "true",
    "x" * 300,
    [],
    [1],
    {},
    {"a": 1},
]
BAD_LITERALS = [
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e400",
    b"-1e400",
    b"+1",
    b".5",
    b"01",
    b"0x1",
    b"tru",
    b"'a'",
    b'"\\ud800"',
]
STAMPS = [-1, 0, 1, 2**31, 2**53, 2**62, 2**63 - 1, -(2**62)]


def records(seed: int, n: int, *, start: float) -> Iterator[Raw]:
    """`n` records on the topics `events` and `labels`, most within minutes of `start` (seconds since the epoch)."""
    rng = random.Random(seed)
    offsets = {"events": -1, "labels": -1}
    at = start
    for number in range(n):
        at += rng.choice([0, 0.01, 0.1])
        topic = rng.choice(["events", "labels"])
        offsets[topic] += rng.choice([1, 1, 1, 2])
        stamp = rng.choice(STAMPS) if rng.random() < 0.03 else round(at * 1000)
        key = rng.choice([None, b"", b"key", b"\xff\xfe", "🦀".encode(), bytes(200)])
        headers: Any = rng.choice([(), (("trace", b"abc"),), (("trace", None), ("trace", b"\xff"))])
        yield Raw(value(rng, topic, number), key, topic, 0, offsets[topic], stamp, headers)


def value(rng: random.Random, topic: str, number: int) -> bytes | None:
    """The bytes of one record, sound or not."""
    near = max(0, number - rng.choice([0, 0, 2, 50, 5000]))
    row: dict[str, Any] = {"id": f"e{near // 2}"}
    if topic == "events":
        row |= {"x": rng.gauss(0, 1), "kind": rng.choice("abc"), "flag": True, "at": {"time": 1.7e12 + number}}
    else:
        row |= {"label": rng.random() < 0.5}
    if rng.random() < 0.5:
        return json.dumps(row).encode()
    return rng.choice(MAKERS)(rng, row)


def _other_id(rng: random.Random, row: dict[str, Any]) -> bytes:
    return json.dumps(row | {"id": rng.choice(IDS)}, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")


def _other_value(rng: random.Random, row: dict[str, Any]) -> bytes:
    return json.dumps(row | {rng.choice([*row, "at", "label"]): rng.choice(VALUES)}).encode()


def _other_time(rng: random.Random, row: dict[str, Any]) -> bytes:
    time: Any = rng.choice([-1, 0, 1e9, 1e18, 1e300, math.pi, "2013-01-31", None, [], True])
    return json.dumps(row | {"at": {"time": time}}).encode()


def _missing(rng: random.Random, row: dict[str, Any]) -> bytes:
    gone = rng.choice(list(row))
    return json.dumps({name: value for name, value in row.items() if name != gone}).encode()


def _bad_literal(rng: random.Random, row: dict[str, Any]) -> bytes:
    marked = json.dumps(row | {rng.choice([*row, "undeclared"]): "MARK"}).encode()
    return marked.replace(b'"MARK"', rng.choice(BAD_LITERALS))


def _twice(rng: random.Random, row: dict[str, Any]) -> bytes:
    name = rng.choice(list(row))
    again = json.dumps({name: rng.choice(VALUES)}).encode()
    return json.dumps(row).encode()[:-1] + b"," + again[1:]


def _cut(rng: random.Random, row: dict[str, Any]) -> bytes:
    whole = json.dumps(row).encode()
    return whole[: rng.randrange(len(whole))]


def _flipped(rng: random.Random, row: dict[str, Any]) -> bytes:
    bent = bytearray(json.dumps(row).encode())
    for _ in range(rng.randint(1, 4)):
        bent[rng.randrange(len(bent))] = rng.randrange(256)
    return bytes(bent)


def _noise(rng: random.Random, row: dict[str, Any]) -> bytes:
    return rng.randbytes(rng.randrange(200))


def _encoded(rng: random.Random, row: dict[str, Any]) -> bytes:
    return json.dumps(row | {"kind": "é"}, ensure_ascii=False).encode(
        rng.choice(["utf-16", "utf-32", "latin-1", "utf-8-sig"])
    )


def _deep(rng: random.Random, row: dict[str, Any]) -> bytes:
    depth = rng.choice([10, 900, 5000])
    nested = rng.choice([b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth, b"[" * depth])
    name = rng.choice([*row, "undeclared"]).encode()
    return json.dumps(row).encode()[:-1] + b',"' + name + b'":' + nested + b"}"


def _huge(rng: random.Random, row: dict[str, Any]) -> bytes:
    size = rng.choice([1000, 10_000, 300_000]) if rng.random() < 0.05 else 1000
    bulk: Any = rng.choice(["x" * size, [0] * (size // 3), {str(n): n for n in range(size // 10)}])
    return json.dumps(row | {rng.choice([*row, "undeclared"]): bulk}).encode()


def _no_object(rng: random.Random, row: dict[str, Any]) -> bytes | None:
    wholes = [
        None,
        b"",
        b" ",
        b"null",
        b"true",
        b"0",
        b'"text"',
        b"[]",
        b"{}",
        b"[{}]",
        b"\x00",
        b"\xff",
        b"{}{}",
        b"{,}",
    ]
    return rng.choice([*wholes, b"[" + json.dumps(row).encode() + b"]", json.dumps(json.dumps(row)).encode()])


MAKERS: list[Maker] = [
    _other_id,
    _other_value,
    _other_time,
    _missing,
    _bad_literal,
    _twice,
    _cut,
    _flipped,
    _noise,
    _encoded,
    _deep,
    _huge,
    _no_object,
]
