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
import pickle
import random
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from river.proba import Gaussian

from learners import slim

_EXACT: dict[str, str] = {
    "builtins": "bool bytearray bytes complex dict float frozenset int iter list range set slice str tuple",
    "collections": "Counter OrderedDict defaultdict deque",
    "copy": "deepcopy",
    "datetime": "datetime timedelta",
    "learners.slim": "gaussian",
    "numpy": "dtype ndarray",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy._core.numeric": "_frombuffer",
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
}
EXACT = frozenset((module, name) for module, names in _EXACT.items() for name in names.split())
"""Names let in one by one."""

PACKAGES = ("river.", "learners.", "detectors.", "stream.core.", "stream.records")
"""Where classes may come from."""

BARRED = ("river.checks", "river.compat", "river.datasets", "river.stream")
"""Parts of River that fetch data, read and write files or wrap other libraries, and no model holds."""

_MODULE = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


class Refused(Exception):
    """A pickle names something that no model is made of. Nothing of it was looked up or run."""


class AllowListUnpickler(pickle.Unpickler):
    """Unpickles models, and only models.

    `extra` names more modules whose classes are let in (exactly those modules, not what lies below them).
    Raises `Refused` from `load`.
    """

    def __init__(self, file: io.BytesIO, extra: Sequence[str] = ()) -> None:
        super().__init__(file)
        self._extra = frozenset(extra)

    def find_class(self, module: str, name: str) -> Any:
        """What a name of the pickle stands for, when it is one of those let in."""
        return resolve(module, name, self._extra)

    def persistent_load(self, pid: Any) -> Any:
        """Models hold no references to the outside."""
        raise Refused(f"it refers to an outside object {pid!r}; models hold none")


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

    def reducer_override(self, obj: Any) -> Any:
        """Check every class, function and bound method on its way into the pickle; make others slim."""
        kind = type(obj)
        if kind in self._unnamed:  # of a large model, all but a few
            return NotImplemented
        if kind in _SLIM:
            return _SLIM[kind](obj)
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
    if not inner:
        return found
    nested = vars(found).get(inner)
    plain = nested.__func__ if isinstance(nested, staticmethod) else nested
    is_own = isinstance(nested, (type, staticmethod)) and getattr(plain, "__module__", None) == module
    if not is_own or getattr(plain, "__qualname__", None) != name:
        raise Refused(f"it names {module}.{name}, which is neither a class nor a static method defined there")
    return plain


def _may_hold_classes(module: str, extra: frozenset[str]) -> bool:
    if any(module == barred or module.startswith(barred + ".") for barred in BARRED):
        return False
    return module in extra or module == "stream.records" or module.startswith(PACKAGES[:-1])


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
    known = kind.__module__.startswith("river.") and not kind.__module__.startswith(BARRED)
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


_GUARDED: dict[tuple[str, str], Callable[..., Any]] = {
    ("builtins", "getattr"): _bind,
    ("functools", "partial"): _partial,
    ("msgspec._utils", "rebuild"): _record,
}
