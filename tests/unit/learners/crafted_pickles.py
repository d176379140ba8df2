"""Pickles made by hand, and what opens them: for tests of what no pickler would write."""

from __future__ import annotations

import importlib
import io
from typing import Any

from learners.river_names import find_class
from learners.unpickle import AllowListUnpickler

REBUILD: Any = importlib.import_module("msgspec._utils").rebuild
"""What pickled records are made with."""


class Reduced:
    """Pickles as a call of anything with any arguments, and gives it any state."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.call = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call

    def __call__(self) -> None:
        """What is made by a call may be called in turn."""


def load(data: bytes, extra: tuple[str, ...] = ()) -> Any:
    return AllowListUnpickler(io.BytesIO(data), extra).load()


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def named(module: str, name: str) -> bytes:
    """What leaves a global on the stack, in protocol 4: the name may be dotted."""
    return text(module) + text(name) + b"\x93"


def called(module: str, name: str, *arguments: bytes) -> bytes:
    """A pickle that looks up a name and calls it with ready-made arguments."""
    return b"\x80\x04" + named(module, name) + b"(" + b"".join(arguments) + b"tR."


def river(name: str, *unnamed: Any, **parameters: Any) -> Any:
    """An object of one of River's classes."""
    return find_class(f"river.{name}", "test")(*unnamed, **parameters)
