"""A digest of all that determines what a task, a learner or a detector will do.

Two states of one configuration have the same fingerprint when they go on in the same way, and another one as soon as a
number, an order or a random state differs. It goes by what pickle would keep, and not by how: a state that was saved
and loaded has the fingerprint of the one that was not.

Inside a learner or detector it tells apart one object met twice from two equal ones (two trees that draw from one
generator); everything else in a task is values, which nobody changes in place. Attributes and sets have no order.
"""

from __future__ import annotations

import copyreg
import struct
from collections.abc import Iterable
from hashlib import sha256
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
from pydantic import BaseModel
from river.proba import Gaussian

from detectors.base import ConceptDetector, DataDetector
from learners.base import Learner
from stream.core.state import TaskState

_ALONE = (Learner, ConceptDetector, DataDetector)
_NAMED = (type, FunctionType, BuiltinFunctionType)


def fingerprint(state: object) -> str:
    """The fingerprint of a `TaskState`, of one of its parts, or of any object that pickles: 64 hexadecimal digits."""
    return _Walk(alone=isinstance(state, _ALONE)).digest(state).hex()


class _Walk:
    """Goes through an object as pickle does, and hashes what it meets."""

    def __init__(self, *, alone: bool) -> None:
        self._hash = sha256()
        self._alone = alone
        self._met: dict[int, tuple[int, object]] = {}  # holds on to what it met: an id must not come again

    def digest(self, obj: object) -> bytes:
        self._take(obj)
        return self._hash.digest()

    def _take(self, obj: Any) -> None:
        kind = type(obj)
        if kind is float:
            self._put(b"float", struct.pack("<d", obj))
        elif kind is str:
            self._put(b"str", obj.encode(errors="surrogatepass"))
        elif obj is None or kind is int or kind is bool or kind is complex:
            self._put(kind.__name__.encode(), repr(obj).encode())
        elif kind is bytes:
            self._put(b"bytes", obj)
        elif isinstance(obj, _NAMED):
            self._put(b"name", f"{obj.__module__}.{obj.__qualname__}".encode())
        elif isinstance(obj, np.generic) or (isinstance(obj, np.ndarray) and obj.dtype != object):
            self._put(f"numpy {obj.dtype.str} {obj.shape}".encode(), obj.tobytes())
        elif isinstance(obj, tuple):
            self._all(kind, obj)
        elif isinstance(obj, frozenset):
            self._all(kind, self._sorted(obj))
        elif isinstance(obj, BaseModel):
            self._all(kind, self._by_name(vars(obj)))
        elif not self._alone and isinstance(obj, _ALONE):
            self._put(b"alone", _Walk(alone=True).digest(obj))
        else:
            self._changeable(obj)

    def _changeable(self, obj: Any) -> None:
        if self._alone:
            if id(obj) in self._met:
                self._put(b"again", str(self._met[id(obj)][0]).encode())
                return
            self._met[id(obj)] = len(self._met), obj
        kind = type(obj)
        if kind is dict:
            self._all(kind, (part for item in obj.items() for part in item))
        elif kind is list:
            self._all(kind, obj)
        elif kind is set:
            self._all(kind, self._sorted(obj))
        elif kind is TaskState:
            unordered = {"counts": sorted((+obj.counts).items()), "positions": sorted(obj.positions.items())}
            self._all(kind, self._by_name(vars(obj) | unordered))
        else:
            self._all(kind, self._reduced(obj))

    def _reduced(self, obj: Any) -> list[Any]:
        """What pickle would keep of an object."""
        reduce = copyreg.dispatch_table.get(type(obj))
        reduced = obj.__reduce_ex__(4) if reduce is None else reduce(obj)
        if isinstance(reduced, str):
            return [reduced]
        make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        if type(obj) is Gaussian and obj.seed is None:
            state = {name: value for name, value in state.items() if name != "_rng"}  # never drawn from
        slots: Any = None
        if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
            state, slots = state
        return [
            make,
            arguments,
            *(self._by_name(part) if isinstance(part, dict) else part for part in (state, slots)),
            None if items is None else tuple(items),
            None if pairs is None else tuple(pairs),
        ]

    def _by_name(self, attributes: dict[Any, Any]) -> tuple[Any, ...]:
        return tuple(sorted(attributes.items(), key=lambda item: str(item[0])))

    def _sorted(self, members: Iterable[Any]) -> list[bytes]:
        return sorted(_Walk(alone=self._alone).digest(member) for member in members)

    def _all(self, kind: type, parts: Iterable[Any]) -> None:
        self._put(b"begin", f"{kind.__module__}.{kind.__qualname__}".encode())
        for part in parts:
            self._take(part)
        self._put(b"end", b"")

    def _put(self, tag: bytes, data: bytes) -> None:
        self._hash.update(b"%b %d:%b;" % (tag, len(data), data))
