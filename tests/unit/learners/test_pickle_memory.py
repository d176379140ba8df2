"""Pickles that lie about memory: what NumPy would read or write beyond its own, and a few bytes that ask for much."""

from __future__ import annotations

import importlib
import os
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from river.linear_model import LogisticRegression

from learners import arrays
from learners.unpickle import MAX_RANGE, Refused
from tests.unit.learners.crafted_pickles import Reduced, load

RECONSTRUCT: Any = importlib.import_module("numpy._core.multiarray")._reconstruct
FROM_BUFFER: Any = importlib.import_module("numpy._core.numeric")._frombuffer
SCALAR: Any = importlib.import_module("numpy._core.multiarray").scalar


def lying_dtype(name: str, *state: Any) -> Reduced:
    return Reduced(np.dtype, name, False, True, state=state)


POINTERS_AS_NUMBERS = lying_dtype("O8", 3, "|", None, None, None, -1, -1, 0)
"""A dtype of objects that says it holds none: what is stored with it would be taken for addresses."""
RECORD_OF_POINTERS = lying_dtype("V8", 3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0)
NUMBERS = np.dtype("<i8")


def array_of(dtype: Any, content: Any, shape: Any = (1,)) -> Reduced:
    return Reduced(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, shape, dtype, False, content))


@pytest.mark.parametrize(
    "attack",
    [
        array_of(POINTERS_AS_NUMBERS, b"AAAAAAAA"),
        array_of(RECORD_OF_POINTERS, b"AAAAAAAA"),
        array_of(lying_dtype("V8", 3, "|", None, ("a",), {"a": (NUMBERS, 4)}, 8, 1, 0), b"AAAAAAAA"),
        array_of(lying_dtype("V8", 3, "|", None, ("a",), {"a": (NUMBERS, -8)}, 8, 1, 0), b"AAAAAAAA"),
        array_of(lying_dtype("V8", 3, "|", (NUMBERS, (9,)), None, None, 8, 1, 0), b"AAAAAAAA"),
        array_of(lying_dtype("V8", 3, "|", None, ("a",), {}, 8, 1, 0), b"AAAAAAAA"),
        array_of(Reduced(np.dtype, "V8", False, True), b"AAAAAAAA"),
        array_of(lying_dtype("i8", 3, "<", None, None, None, 1, 1, 0), b"AAAAAAAA"),
        array_of(lying_dtype("i8", 3, "<", None, None, None, -1, -1, 63), b"AAAAAAAA"),
        array_of(Reduced(np.dtype, [("a", "O")]), b"AAAAAAAA"),
        array_of(NUMBERS, [LogisticRegression]),
        array_of(np.dtype("O"), b"AAAAAAAA"),
        array_of(NUMBERS, b"A" * 8, shape=(2**40,)),
        array_of(NUMBERS, b"A" * 8, shape=(-1,)),
        Reduced(RECONSTRUCT, np.ndarray, (2**40,), b"b"),
        Reduced(RECONSTRUCT, LogisticRegression, (0,), b"b"),
        Reduced(FROM_BUFFER, b"AAAAAAAA", POINTERS_AS_NUMBERS, (1,), "C"),
        Reduced(FROM_BUFFER, b"AAAAAAAA", NUMBERS, (2**40,), "C"),
        Reduced(FROM_BUFFER, b"AAAAAAAA", NUMBERS, (-1, -1), "C"),
        Reduced(SCALAR, POINTERS_AS_NUMBERS, b"AAAAAAAA"),
        Reduced(SCALAR, np.dtype("O"), b"AAAAAAAA"),
        Reduced(SCALAR, NUMBERS, b"AAAA"),
        Reduced(arrays.array, "O", (1,), "C", b"AAAAAAAA"),
        Reduced(arrays.array, "O", (2,), "C", [1]),
        Reduced(arrays.array, "<i8", (2**40,), "C", b"AAAAAAAA"),
        Reduced(arrays.array, "<i8", (1,), "C", [os.getcwd]),
        Reduced(arrays.array, "V8", (1,), "C", b"AAAAAAAA"),
        Reduced(arrays.array, (("a",), ("O",), (0,), 8), (1,), "C", b"AAAAAAAA"),
        Reduced(arrays.array, (("a",), ("<i8",), (4,), 8), (1,), "C", b"AAAAAAAA"),
        Reduced(arrays.scalar, "O", b"AAAAAAAA"),
    ],
)
def test_what_numpy_would_take_for_addresses_or_for_more_than_there_is_is_refused(attack: Any) -> None:
    """NumPy itself believes these: most of them read memory that is not theirs, or end the process."""
    data = pickle.dumps(Reduced(list, attack))
    with pytest.raises((Refused, ValueError, TypeError)):
        load(data)


@pytest.mark.parametrize(
    "attack",
    [
        pickle.dumps(Reduced(bytearray, 2**45)),
        pickle.dumps(Reduced(bytes, 2**45)),
        pickle.dumps(Reduced(list, range(2**40))),
        pickle.dumps(Reduced(tuple, range(MAX_RANGE + 1))),
        pickle.dumps(Reduced(list, Reduced(iter, list, 1))),
        b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
        b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
        b"\x80\x04T" + struct.pack("<i", 2**31 - 1) + b"x.",
        b"\x80\x04X" + struct.pack("<I", 2**32 - 1) + b"x.",
    ],
    ids=[
        "bytearray",
        "bytes",
        "list",
        "tuple",
        "endless",
        "BYTEARRAY8",
        "BINBYTES8",
        "BINUNICODE8",
        "FRAME",
        "LONG4",
        "BINSTRING",
        "BINUNICODE",
    ],
)
def test_a_small_pickle_that_asks_for_much_memory_is_refused(attack: bytes) -> None:
    with pytest.raises((Refused, TypeError, MemoryError, OverflowError, EOFError, pickle.UnpicklingError)):
        load(attack)


def test_ranges_and_iterators_of_models_come_back() -> None:
    over = iter([1, 2, 3])
    next(over)
    assert load(pickle.dumps((range(5), over, bytearray(b"x"))))[0] == range(5)
    assert list(load(pickle.dumps(over))) == [2, 3]
