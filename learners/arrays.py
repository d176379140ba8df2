"""NumPy's arrays, scalars and dtypes in pickles, rebuilt without trusting what the pickle says of memory.

NumPy's own way gives a dtype whatever state the pickle holds. One that says of a column of pointers that they are
numbers makes an array that reads any address: a crash at best. Here a dtype is built from its plain name, or from the
plain fields of a record, by NumPy's constructor, which works out the rest; what the pickle claims beyond that has to
agree; and no dtype ever comes within reach of the pickle, which could give it another state. `pack` writes what `array`
and `scalar` rebuild; the others are for pickles that NumPy wrote.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from learners.refused import Refused

Spec: TypeAlias = "str | tuple[tuple[str, ...], tuple[Spec, ...], tuple[int, ...], int]"
"""A dtype: its name, such as "<f8", or names, kinds and offsets of a record's fields, and its size in bytes."""

_PLAIN: Final = re.compile(r"[<>|=]?(?:\?|[biufcSU]\d*|[mM]8(?:\[\d*[A-Za-zμ]+(?:/\d+)?\])?|[bBhHiIlLqQefdg]|O8?)")
_DEEPEST: Final = 4
"""Records within records."""


def kind(spec: Spec, _depth: int = 0) -> np.dtype[Any]:
    """The dtype of a specification. Raises Refused for one that is not plain."""
    if isinstance(spec, str):
        if not _PLAIN.fullmatch(spec):
            raise Refused(f"it holds a NumPy dtype {spec[:40]!r}, which no model needs")
        return np.dtype(spec)
    if _depth == _DEEPEST:
        raise Refused(f"it holds a NumPy record in more than {_DEEPEST} others, which no model needs")
    names, kinds, offsets, size = spec
    formats = [kind(one, _depth + 1) for one in kinds]
    if any(one.hasobject for one in formats):
        raise Refused("it holds a NumPy record with objects in it, which no model needs")
    return np.dtype({"names": list(names), "formats": formats, "offsets": list(offsets), "itemsize": size})


def array(spec: Spec, shape: tuple[int, ...], order: str, content: bytes | list[Any]) -> np.ndarray[Any, Any]:
    """The array of this shape, in C or Fortran order ("C", "F"), with this content: its bytes, or a list of objects."""
    dtype = kind(spec)
    layout: Literal["C", "F"] = "F" if order == "F" else "C"
    if dtype.hasobject:
        if not isinstance(content, list) or math.prod(shape) != len(content):
            raise Refused("it holds a NumPy array whose objects are not as many as it says")
        objects = np.empty(len(content), object)
        for index, one in enumerate(content):
            objects[index] = one
        return objects.reshape(shape, order=layout)
    if not isinstance(content, (bytes, bytearray)) or math.prod(shape) * dtype.itemsize != len(content):
        raise Refused("it holds a NumPy array whose content is not as long as it says")
    return np.ndarray(shape, dtype, bytes(content), order=layout).copy(layout)


def scalar(spec: Spec, content: bytes) -> Any:
    """The scalar of these bytes."""
    return array(spec, (), "C", content)[()]


def pack(value: Any) -> tuple[Any, tuple[Any, ...]]:
    """How an array or a scalar of NumPy is pickled. Raises Refused for a dtype by itself, or one that is not plain."""
    if isinstance(value, np.ndarray):
        spec = _spec(value.dtype)
        order: Literal["C", "F"] = "F" if value.flags.fnc else "C"
        if value.dtype.hasobject:
            return array, (spec, value.shape, order, list(value.ravel(order)))
        return array, (spec, value.shape, order, value.tobytes(order))
    if isinstance(value, np.generic):
        return scalar, (_spec(value.dtype), value.tobytes())
    raise Refused("it holds a NumPy dtype by itself; hold its name instead")


def _spec(dtype: np.dtype[Any]) -> Spec:
    if dtype.names is None:
        return "O" if dtype.hasobject else dtype.str
    fields = [dtype.fields[name] for name in dtype.names] if dtype.fields is not None else []
    kinds, offsets = tuple(_spec(field[0]) for field in fields), tuple(int(field[1]) for field in fields)
    spec = (dtype.names, kinds, offsets, dtype.itemsize)
    kind(spec)
    return spec


# pickles that NumPy wrote


class Claimed:
    """A dtype on its way through a pickle that NumPy wrote: what it was made as, held against what is claimed of it."""

    def __init__(self, name: Any, align: bool = False, copy: bool = False) -> None:
        if not isinstance(name, str):
            raise Refused("it holds a NumPy dtype that is not plain")
        void = re.fullmatch(r"V(\d+)", name)
        self._record = int(void[1]) if void else None
        self.real = np.dtype(None) if void else kind(name)

    def __setstate__(self, state: Sequence[Any]) -> None:
        if self._record is not None:
            self.real = kind(self._fields(state))
            return
        order = state[1]
        if order in ("<", ">"):
            self.real = self.real.newbyteorder(order)
        written: Any = self.real.__reduce__()
        if tuple(state) != written[2]:
            raise Refused(f"it says of NumPy's dtype {self.real.str} what is not so")

    def _fields(self, state: Sequence[Any]) -> Spec:
        """The specification of a record; its flags and alignment are worked out anew, whatever is claimed."""
        try:
            _, _, subarray, names, fields, size = state[:6]
            kinds, offsets = zip(*(fields[name][:2] for name in names), strict=True)
            specs = tuple(_spec(real_of(one)) for one in kinds)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise Refused("it holds a NumPy record that is not plain") from error
        if subarray is not None or size != self._record:
            raise Refused("it holds a NumPy record that is not plain")
        return tuple(names), specs, tuple(offsets), size


class Rebuilt(np.ndarray[Any, Any]):
    """An array that is filled from the state NumPy wrote. It is one like any other, and stored as one."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        _, shape, claimed, fortran, content = state
        dtype = real_of(claimed)
        if dtype.hasobject != isinstance(content, list) or isinstance(content, str):
            raise Refused("it holds a NumPy array whose content is not what it says")
        checked: Any = (1, shape, dtype, bool(fortran), content)
        super().__setstate__(checked)


ARRAY: Final = object()
"""Stands for the type of arrays where a pickle names it."""


def reconstruct(of: Any, shape: Any, code: Any) -> Rebuilt:
    """What NumPy writes an array as that it does not write as a buffer; its state follows."""
    if of is not ARRAY or tuple(shape) != (0,):
        raise Refused("it makes a NumPy array in a way that NumPy does not write")
    return np.ndarray.__new__(Rebuilt, (0,), np.int8)


def from_buffer(content: Any, claimed: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray[Any, Any]:
    """What NumPy writes an array as whose bytes stand in one piece."""
    if order not in ("C", "F") or axes is not None:
        raise Refused("it makes a NumPy array in a way that NumPy does not write")
    return array(_spec(real_of(claimed)), shape if isinstance(shape, tuple) else (shape,), order, content)


def from_scalar(claimed: Any, content: Any = b"") -> Any:
    """What NumPy writes a scalar as."""
    dtype = real_of(claimed)
    if dtype.hasobject:
        raise Refused("it holds an object as a NumPy scalar, which no model needs")
    return scalar(_spec(dtype), content)


def real_of(claimed: Any) -> np.dtype[Any]:
    """The dtype behind what a pickle claims of one. Raises Refused."""
    if not isinstance(claimed, Claimed) or (claimed._record is not None and claimed.real.names is None):
        raise Refused("it holds a NumPy dtype that is not plain")
    return claimed.real
