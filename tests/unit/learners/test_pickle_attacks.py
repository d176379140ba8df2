"""Known attacks by pickle, each refused with nothing run.

The names are those of public advisories on scanners of pickles (picklescan, fickling, modelscan) and of what they let
through, of Python's own unpickler, and of ways found here. A list of names that are bad is never complete; these show
that nothing but what is good gets in, however it is spelled.
"""

from __future__ import annotations

import builtins
import functools
import operator
import os
import pickle
import random
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river.bandit.datasets import NewsArticles
from river.linear_model import LogisticRegression

from learners.unpickle import Refused
from tests.unit.learners.crafted_pickles import REBUILD, Reduced, called, load, named, river, text


def framed(opcodes: bytes) -> bytes:
    return b"\x80\x04\x95" + struct.pack("<Q", len(opcodes)) + opcodes


def by_reduce(witness: Path) -> dict[str, Any]:
    """Objects that would create the witness file when they are unpickled."""
    touch = f"touch {witness}"
    code = f"open({str(witness)!r}, 'w').close()"
    return {
        "os.system": Reduced(os.system, touch),
        "os.execvp": Reduced(os.execvp, "touch", ["touch", str(witness)]),
        "subprocess.Popen": Reduced(subprocess.Popen, ["touch", str(witness)]),
        "subprocess.check_output": Reduced(subprocess.check_output, ["touch", str(witness)]),
        "builtins.eval": Reduced(builtins.eval, code),
        "builtins.exec": Reduced(builtins.exec, code),
        "builtins.compile": Reduced(builtins.exec, Reduced(builtins.compile, code, "x", "exec")),
        "builtins.open": Reduced(builtins.open, str(witness), "w"),
        "builtins.__import__": Reduced(builtins.__import__, "os"),
        "builtins.map": Reduced(list, Reduced(map, os.system, [touch])),
        "builtins.filter": Reduced(list, Reduced(filter, os.system, [touch])),
        "builtins.iter until": Reduced(list, Reduced(iter, os.getcwd, "/")),
        "builtins.getattr of a module": Reduced(getattr, Reduced(builtins.__import__, "os"), "system"),
        "builtins.getattr of a class": Reduced(getattr, LogisticRegression, "__init__"),
        "builtins.getattr of a private": Reduced(getattr, LogisticRegression(), "__reduce_ex__"),
        "builtins.getattr of globals": Reduced(getattr, Reduced(getattr, LogisticRegression(), "learn_one"), "f"),
        "builtins.setattr": Reduced(setattr, LogisticRegression, "predict_one", os.system),
        "builtins.vars": Reduced(vars, LogisticRegression),
        "builtins.type": Reduced(type, "Evil", (), {}),
        "functools.partial": Reduced(functools.partial(os.system, touch)),
        "functools.partial by state": Reduced(
            Reduced(functools.partial, list, state=(os.system, (touch,), {}, None)),
        ),
        "functools.reduce": Reduced(functools.reduce, os.system, [touch], ""),
        "operator.attrgetter": Reduced(operator.attrgetter, "system"),
        "operator.itemgetter": Reduced(operator.itemgetter, 0),
        "operator.methodcaller": Reduced(operator.methodcaller("touch"), witness),
        "pathlib.Path.touch": Reduced(Path.touch, witness),
        "random.Random, subclassed": Reduced(random.SystemRandom),
        "msgspec's rebuild": Reduced(REBUILD, functools.partial, {"func": os.system, "cmd": touch}),
        "numpy.load of a pickle": Reduced(np.load, str(witness), None, True),
        "numpy.save": Reduced(np.save, str(witness), [1]),
        "river's function transformer": river("compose.FuncTransformer", os.system),
        "a list of attacks": [1, {"a": (Reduced(os.system, touch),)}],
        "a state that is an attack": Reduced(LogisticRegression, state={"x": Reduced(os.system, touch)}),
    }


ADVISORIES = """
    __builtin__:eval _io:FileIO _operator:attrgetter _operator:methodcaller _pickle:loads _posixsubprocess:fork_exec
    aiohttp.client:ClientSession asyncio.unix_events:_UnixSubprocessTransport._start bdb:Bdb.run builtins:breakpoint
    builtins:delattr builtins:globals builtins:input builtins:locals builtins:object builtins:memoryview
    builtins:classmethod builtins:super cProfile:run cProfile:runctx code:InteractiveInterpreter.runcode
    codecs:decode codeop:compile_command collections:_sys.modules commands:getoutput copy:copyreg
    copyreg:add_extension copyreg:__newobj_ex__ ctypes:CDLL dill:loads distutils.file_util:write_file
    doctest:debug_script ensurepip:_run_pip fileinput:input functools:partialmethod functools:singledispatch
    gc:get_objects getpass:getpass http.client:HTTPSConnection httplib:HTTPSConnection
    idlelib.autocomplete:AutoComplete.get_entity idlelib.calltip:get_entity idlelib.debugobj:ObjectTreeItem.SetText
    idlelib.pyshell:ModifiedInterpreter.runcode idlelib.run:Executive.runcode imaplib:IMAP4_stream
    importlib:import_module importlib.util:module_from_spec inspect:getattr_static io:open io:FileIO joblib:load
    lib2to3.pgen2.grammar:Grammar.loads lib2to3.pgen2.pgen:ParserGenerator.make_label linecache:getlines
    logging.config:_resolve logging.config:dictConfig logging.config:valueAsCode logging:FileHandler marshal:loads
    multiprocessing.util:spawnv_passfds nt:system numpy.distutils.exec_command:exec_command numpy:fromfile numpy:load
    numpy:memmap numpy.f2py.crackfortran:_eval_length numpy.f2py.crackfortran:getlincoef
    numpy.f2py.crackfortran:myeval numpy.f2py.crackfortran:param_eval numpy.lib._npyio_impl:load
    numpy.lib.format:open_memmap numpy.lib.npyio:recfromtxt numpy.ma.core:_mareconstruct numpy.testing:rundocs
    numpy.testing._private.utils:runstring numpy._core.multiarray:array pandas:read_pickle pdb:run pickle:loads
    pip._internal.cli.main:main pkgutil:resolve_name posix:system posix:execv profile:Profile.run
    profile:Profile.runctx pty:spawn pydoc:locate pydoc:pipepager requests.api:get runpy:_run_code runpy:run_path
    shelve:open shutil:copyfile shutil:rmtree smtplib:SMTP socket:create_connection sqlite3:connect
    ssl:get_server_certificate sys:exit sys:modules sys:settrace tempfile:mktemp test.support.script_helper:run
    timeit:timeit torch._dynamo.guards:GuardBuilder.get torch.jit.unsupported_tensor_ops:execWrapper
    torch.serialization:load torch.utils.bottleneck.__main__:run_cprofile trace:Trace.run trace:Trace.runctx
    tracemalloc:start types:CodeType types:FunctionType types:ModuleType urllib.request:urlopen
    uuid:_get_command_stdout venv:create webbrowser:open xmlrpc.client:ServerProxy zipimport:zipimporter
"""

OURS = """
    river.base.estimator:os.system river.datasets.base:os.system river.datasets.base:shutil.rmtree river.utils:os
    river:importlib.import_module river.stream.cache:os.remove river.stream.cache:Cache
    river.datasets.phishing:Phishing river.datasets.base:RemoteDataset river.bandit.datasets.news:NewsArticles
    river.compat:convert_sklearn_to_river river.compat.sklearn_to_river:SKL2RiverClassifier
    river.linear_model.log_reg:linear_model.base.functools.partial
    river.linear_model.log_reg:LogisticRegression.__init__.__globals__
    river.linear_model.log_reg:LogisticRegression.__class__ river.linear_model.log_reg:LogisticRegression.__mro__
    river.linear_model.log_reg:LogisticRegression.__subclasses__ river.linear_model.log_reg:typing
    river.linear_model:LogisticRegression river..linear_model:LogisticRegression .river.linear_model:LogisticRegression
    river.evaluate.progressive_validation:progressive_val_score river.checks:_allowed_to_fail
    learners.unpickle:importlib.import_module learners.unpickle:resolve learners.unpickle:_bind
    learners.unpickle:AllowListUnpickler learners.unpickle:AllowListUnpickler.find_class learners.arrays:kind
    learners.arrays:Claimed learners.arrays:Rebuilt learners.arrays:np.load learners.river_names:importlib
    learners.river_names:find_class learners.artifacts:open_sealed learners.artifacts:Trust learners.keys:SigningKey
    learners.envelope:Place detectors.base:math detectors.registry:build stream.records_of_others:Anything
    stream.kafka.consumer:Consumer stream.cli:main stream.stores.files:FileSnapshots stream:core.engine.Engine
    random:_os.system collections:abc.sys.modules numpy:dtype.__new__
"""


def by_name(witness: Path) -> dict[str, bytes]:
    """Pickles that look a name up and call it."""
    touch = text(f"touch {witness}")
    pairs = (entry.split(":") for entry in (*ADVISORIES.split(), *OURS.split()))
    return {f"{module}:{name}": called(module, name, touch) for module, name in pairs}


def spelled_otherwise(witness: Path) -> dict[str, bytes]:
    """The same in the opcodes that scanners have missed."""
    touch = f"touch {witness}"
    return {
        "protocol 0": f"cos\nsystem\n(S'{touch}'\ntR.".encode(),
        "GLOBAL in protocol 2": b"\x80\x02" + f"cposix\nsystem\n(S'{touch}'\ntR.".encode(),
        "INST": f"(S'{touch}'\nios\nsystem\n.".encode(),
        "OBJ": b"(cos\nsystem\n" + text(touch) + b"o.",
        "STACK_GLOBAL": called("os", "system", text(touch)),
        "STACK_GLOBAL from the memo": b"\x80\x04"
        + text("os")
        + b"\x940"
        + text("system")
        + b"\x940h\x00h\x01\x93("
        + text(touch)
        + b"tR.",
        "STACK_GLOBAL of made-up text": b"\x80\x04"
        + named("builtins", "str")
        + b"("
        + text("os")
        + b"tR"
        + text("system")
        + b"\x93("
        + text(touch)
        + b"tR.",
        "in a frame": framed(named("os", "system") + text(touch) + b"\x85R."),
        "NEWOBJ": b"\x80\x04" + named("subprocess", "Popen") + text(touch) + b"\x85\x81.",
        "NEWOBJ_EX": b"\x80\x04" + named("subprocess", "Popen") + text(touch) + b"\x85}\x92.",
        "a second pickle after a good one": b"\x80\x04N0" + named("os", "system") + b"(" + text(touch) + b"tR.",
        "popped unused": b"\x80\x04(" + named("os", "system") + text(touch) + b"\x85R1N.",
        "persistent id": b"\x80\x04\x8c\x01x\x51.",
        "persistent id of protocol 0": b"Px\n.",
        "cut off": called("os", "system", text(touch))[:-3],
    }


def never(*arguments: Any, **_: Any) -> None:
    """Stands for what starts programs and imports modules."""
    raise AssertionError(f"it was run: {arguments}")


def attacks(witness: Path) -> dict[str, bytes]:
    reduced = {name: pickle.dumps(attack, protocol=5) for name, attack in by_reduce(witness).items()}
    return {**reduced, **by_name(witness), **spelled_otherwise(witness)}


@pytest.mark.parametrize("name", sorted(attacks(Path("witness"))))
def test_an_attack_is_refused_and_has_no_effect(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = attacks(tmp_path / "witness")[name]
    for module, function in (("posix", "system"), ("os", "fork"), ("subprocess", "Popen"), ("importlib", "__import__")):
        monkeypatch.setattr(f"{module}.{function}", never)
    with pytest.raises(Refused):
        load(attack)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\x80\x04\x82\x01.", ValueError),
        (b"\x80\x04\x83\x01\x01.", ValueError),
        (b"\x80\x04\x84\x01\x00\x00\x00.", ValueError),
        (b"\x80\x05\x97.", pickle.UnpicklingError),
        (b"\x80\xff.", ValueError),
        (b"", EOFError),
    ],
    ids=["extension code, 1 byte", "2 bytes", "4 bytes", "out-of-band buffer", "protocol of the future", "empty"],
)
def test_what_refers_to_nothing_is_no_pickle(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        load(data)


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "builtins.compile",
        "functools.partial",
        "functools.partial by state",
        "a state that is an attack",
        "protocol 0",
        "GLOBAL in protocol 2",
        "INST",
        "OBJ",
        "STACK_GLOBAL",
        "STACK_GLOBAL from the memo",
        "STACK_GLOBAL of made-up text",
        "in a frame",
        "a second pickle after a good one",
        "popped unused",
    ],
)
def test_the_attack_is_real(name: str, tmp_path: Path) -> None:
    """Python's own unpickler falls for it; otherwise the test above would prove nothing."""
    witness = tmp_path / "witness"
    attack = attacks(witness)[name]
    try:
        pickle.loads(attack)
    except (TypeError, pickle.UnpicklingError):  # once it was run
        assert witness.exists()
    assert witness.exists()


def test_a_class_that_inherits_from_one_that_fetches_data_is_refused() -> None:
    """Given another address, and made into a list, it would fetch that."""
    attack = Reduced(list, Reduced(NewsArticles, state={"url": "http://localhost:1/"}))
    with pytest.raises(Refused, match="NewsArticles"):
        load(pickle.dumps(attack))
