"""An unpickler that knows what a model is made of and refuses everything else before looking it up.

A pickle is a program; what it can do is bounded by the names it can reach. Here these are: plain containers and
numbers, the random generators, numpy's arrays, and *classes* that are defined in River, in `learners`, in `detectors`
and in the engine. Functions are refused but for the few, listed one by one, that River's objects need. Two built-in
callables that River's pickles cannot do without are replaced by narrow ones: `getattr` by one that only binds a River
method to its own object, `functools.partial` by one that takes only callables that were themselves let in. So is the
one that builds records of msgspec, which then builds no other.

This is the second wall. The first is the signature: see `learners.artifacts`.
"""

from __future__ import annotations

import functools
import importlib
import io
import operator
import pickle
import random
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from river.proba import Gaussian

from learners import arrays, slim
from learners.refused import Refused

__all__ = ["AllowListPickler", "AllowListUnpickler", "Refused", "resolve"]

_EXACT: dict[str, str] = {
    "builtins": "bool complex dict float frozenset int list set slice str tuple",
    "collections": "Counter OrderedDict defaultdict deque",
    "copy": "deepcopy",
    "datetime": "datetime timedelta",
    "learners.arrays": "array scalar",
    "learners.slim": "gaussian",
    "numpy.random._mt19937": "MT19937",
    "numpy.random._pcg64": "PCG64",
    "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
    "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    "random": "Random",
    "river._river_rust.vectordict": "euclidean_distance_dict euclidean_distance_tuple",
    "river.feature_extraction.vectorize": "strip_accents_unicode tokenize_using_regex_pattern",
    "river.metrics.mutual_info": "_average_arithmetic",
    "river.utils.math": "minkowski_distance",
    "statistics": "NormalDist",
    "stream.config.decision": "DecisionConfig",
}
EXACT = frozenset((module, name) for module, names in _EXACT.items() for name in names.split())
"""Names let in one by one."""

PACKAGES = ("river.", "learners.", "detectors.", "stream.core.", "stream.records")
"""Where classes may come from."""

BARRED = (
    "learners.arrays",
    "learners.artifacts",
    "learners.envelope",
    "learners.keys",
    "learners.unpickle",
    "river.bandit.datasets",
    "river.checks",
    "river.compat",
    "river.datasets",
    "river.stream",
)
"""What guards the unpickling, and parts of River that fetch data, read and write files or wrap other libraries: no
model holds any. Nor does it hold a class that inherits from one there.
"""

_BARRED = tuple(f"{module}." for module in BARRED)

MAX_RANGE = 2**24
"""Longest range: a list that is made of one has as many entries."""

_MODULE = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


class AllowListUnpickler(pickle.Unpickler):
    """Unpickles models, and only models.

    `extra` names more modules whose classes are let in (exactly those modules, not what lies below them).
    Raises `Refused` from `load`.

    A pickle may set attributes of what it has on its stack, so of the classes and functions too that it only names.
    None does that was written by a pickler; where one did, all is put back as it was, and the pickle refused.
    """

    def __init__(self, file: io.BytesIO, extra: Sequence[str] = ()) -> None:
        super().__init__(file)
        self._extra = frozenset(extra)
        self._named: dict[int, tuple[Any, Mapping[str, Any]]] = {}

    def load(self) -> Any:
        """The object that was pickled."""
        try:
            return super().load()
        finally:
            changed = [_put_back(obj, was) for obj, was in self._named.values() if not _are_same(_attributes(obj), was)]
            if changed:
                raise Refused(f"it changes {', '.join(changed)} itself, not an object of it")

    def find_class(self, module: str, name: str) -> Any:
        """What a name of the pickle stands for, when it is one of those let in."""
        found = resolve(module, name, self._extra)
        if id(found) not in self._named:
            self._named[id(found)] = (found, _attributes(found))
        return found

    def persistent_load(self, pid: Any) -> Any:
        """Models hold no references to the outside."""
        raise Refused(f"it refers to an outside object {pid!r}; models hold none")


_OF_FUNCTIONS = ("__code__", "__defaults__", "__kwdefaults__", "__module__", "__name__", "__qualname__")


def _attributes(obj: Any) -> dict[str, Any]:
    """All of a class or function that can be set."""
    own = dict(getattr(obj, "__dict__", {}))
    for name in ("__bases__",) if isinstance(obj, type) else _OF_FUNCTIONS:
        if hasattr(obj, name):
            own[name] = getattr(obj, name)
    return own


def _are_same(now: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
    """Whether these are the same objects under the same names."""
    return now.keys() == was.keys() and all(map(operator.is_, now.values(), map(was.__getitem__, now)))


def _put_back(obj: Any, was: Mapping[str, Any]) -> str:
    """Give a class or function its attributes back; returns its name."""
    now = _attributes(obj)
    for name in now.keys() - was.keys():
        delattr(obj, name)
    for name, before in was.items():
        if now.get(name) is not before:
            setattr(obj, name, before)
    return f"{obj.__module__}.{obj.__qualname__}"


_SCALARS = (np.generic, np.dtype, arrays.Claimed)

_SLIM: Mapping[type, Callable[[Any], Any]] = {Gaussian: slim.pack} if slim.is_known() else {}
"""How objects are pickled without what they never use, by their exact type."""

_NAMED = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodDescriptorType)


class AllowListPickler(pickle.Pickler):
    """Pickles models, and refuses what `AllowListUnpickler` would: nothing is stored that can't be read back.

    Idle random states are left out; see `learners.slim`.
    """

    def __init__(self, file: io.BytesIO, extra: Sequence[str] = ()) -> None:
        super().__init__(file, protocol=5)
        self._extra = frozenset(extra)
        self._unnamed: set[type] = set()
        self._packed = {np.ndarray: arrays.pack, arrays.Rebuilt: arrays.pack, **_SLIM}

    def reducer_override(self, obj: Any) -> Any:
        """Check every class, function and bound method on its way into the pickle; make others slim."""
        kind = type(obj)
        if kind in self._unnamed:  # of a large model, all but a few
            return NotImplemented
        if kind in self._packed:
            return self._packed[kind](obj)
        if issubclass(kind, _SCALARS):
            self._packed[kind] = arrays.pack
            return arrays.pack(obj)
        if not issubclass(kind, _NAMED):
            self._unnamed.add(kind)
        elif isinstance(obj, (type, types.FunctionType, types.BuiltinFunctionType)):
            owner = getattr(obj, "__self__", None)
            if owner is None or isinstance(owner, types.ModuleType):
                resolve(_module_of(obj), obj.__qualname__, self._extra)
            else:
                _bind(owner, obj.__name__)
        elif isinstance(obj, types.MethodType):
            _bind(obj.__self__, obj.__name__)
        elif isinstance(obj, types.MethodDescriptorType):
            _bind(obj.__objclass__, obj.__name__)
        return NotImplemented


def resolve(module: str, name: str, extra: frozenset[str] = frozenset()) -> Any:
    """The object a pickle's (module, name) may stand for. Raises `Refused` before importing or looking up any other."""
    guarded = _GUARDED.get((module, name))
    if guarded is not None:
        return guarded
    if (module, name) in EXACT:
        return vars(importlib.import_module(module))[name]
    if not _may_hold_classes(module, extra) or not _MODULE.fullmatch(module) or not _NAME.fullmatch(name):
        raise Refused(f"it names {module}.{name}, which no model is made of")
    outer, _, inner = name.partition(".")
    found = vars(importlib.import_module(module)).get(outer)
    if not isinstance(found, type) or found.__module__ != module:
        raise Refused(f"it names {module}.{name}, which is not a class defined there")
    if module not in extra and any(_is_barred(base.__module__) for base in found.__mro__):
        raise Refused(f"it names {module}.{name}, which fetches data or reads files")
    if not inner:
        return found
    nested = vars(found).get(inner)
    plain = nested.__func__ if isinstance(nested, staticmethod) else nested
    is_own = isinstance(nested, (type, staticmethod)) and getattr(plain, "__module__", None) == module
    if not is_own or getattr(plain, "__qualname__", None) != name:
        raise Refused(f"it names {module}.{name}, which is neither a class nor a static method defined there")
    return plain


def _may_hold_classes(module: str, extra: frozenset[str]) -> bool:
    if module in extra:
        return True
    return not _is_barred(module) and (module == "stream.records" or module.startswith(PACKAGES[:-1]))


def _is_barred(module: str) -> bool:
    return f"{module}.".startswith(_BARRED)


def _module_of(obj: Any) -> str:
    return str(getattr(obj, "__module__", None) or "builtins")


def _bind(owner: Any, name: str) -> Any:
    """A method of a River object, bound to it: what pickled models use `getattr` for."""
    if owner is str and name == "lower":  # how River's text vectorisers lower case
        return str.lower
    kind = type(owner)
    if kind is random.Random and name == "gauss":  # how River's clusterers draw
        return owner.gauss
    method = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    known = kind.__module__.startswith("river.") and not any(_is_barred(base.__module__) for base in kind.__mro__)
    if not known or name.startswith("__") or not isinstance(method, types.FunctionType):
        raise Refused(f"it takes attribute {name!r} of a {kind.__module__}.{kind.__qualname__}, which no model needs")
    return types.MethodType(method, owner)


def _partial(function: Callable[..., Any]) -> functools.partial[Any]:
    """A partial call of something that was let in; the arguments follow as its state."""
    return functools.partial(function)


def _record(kind: Any, fields: dict[str, Any]) -> msgspec.Struct:
    """A record of the engine whose fields are given by name: what pickled alerts use msgspec's `rebuild` for."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        raise Refused(f"it rebuilds {kind!r}, which is no record")
    return kind(**fields)


def _bytes(content: Any = b"") -> bytes:
    """Bytes out of bytes, never out of a number: as many zeros."""
    if not isinstance(content, bytes):
        raise Refused("it makes bytes out of something else")
    return content


def _bytearray(content: Any = b"") -> bytearray:
    return bytearray(_bytes(content))


def _range(*limits: int) -> range:
    """A range that is no longer than what may be made of it."""
    made = range(*limits)
    if len(made) > MAX_RANGE:
        raise Refused(f"it holds a range of {len(made)} numbers; at most {MAX_RANGE} are let in")
    return made


def _iterator(over: Any) -> Any:
    """An iterator over a container: what pickled iterators begin with. Not one that calls something again and again."""
    if not isinstance(over, (list, tuple, str, dict, range)):
        raise Refused(f"it iterates over a {type(over).__name__}, which no model does")
    return iter(over)


_GUARDED: dict[tuple[str, str], Any] = {
    ("builtins", "bytearray"): _bytearray,
    ("builtins", "bytes"): _bytes,
    ("builtins", "getattr"): _bind,
    ("builtins", "iter"): _iterator,
    ("builtins", "range"): _range,
    ("functools", "partial"): _partial,
    ("msgspec._utils", "rebuild"): _record,
    ("numpy", "dtype"): arrays.Claimed,
    ("numpy", "ndarray"): arrays.ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): arrays.reconstruct,
    ("numpy._core.multiarray", "scalar"): arrays.from_scalar,
    ("numpy._core.numeric", "_frombuffer"): arrays.from_buffer,
}
