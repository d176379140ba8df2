"""Tries out a pickle that nobody has signed in a process of its own, which can be stopped.

The unpickler bounds what a pickle can reach, not what it takes: fifty bytes can ask for a hundred gigabytes, or for
hours, of classes that models are made of. So it is opened elsewhere first, with bounds, by a process that has none of
our secrets in its environment and is the first that the system ends when memory runs out. Where that goes well, opening
it once more takes as much as it took.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from stream.config.fields import written
from stream.config.model import Config
from stream.config.security import TrialConfig
from stream.errors import DriftlineError, ModelError
from stream.trial import read_pickle, try_out

START_SECONDS: Final = 60.0
"""Longest time that the process may take to begin and to end, beyond twice the time that its model has: processors may
be busy.
"""
_NICE: Final = 5
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Variables of the environment that a Python may need. No others: secrets are kept there."""
_MESSAGE: Final = 2000


class _Answer(msgspec.Struct):
    """What came of it: nothing to say, or why the model is not taken."""

    message: str = ""
    cure: str | None = None
    memory: bool = False  # it asked for more than there may be


def quarantined(config: Config, data: bytes, where: str) -> None:
    """Open a pickle and try out the model in it, apart from this process and within `security.trial`.

    Raises ModelError for what is no model of this service, does not run, or takes more than it may.
    """
    bounds = config.security.trial
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", f"from {__name__} import main; main()"],
            input=_request(config, where) + data,
            capture_output=True,
            env=_environment(),
            timeout=START_SECONDS + 2.0 * bounds.time,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _too_long(where, bounds) from error
    if done.returncode == -signal.SIGXCPU:
        raise _too_long(where, bounds)
    if done.returncode == -signal.SIGKILL:
        raise _too_large(where, bounds)
    try:
        answer = msgspec.json.decode(done.stdout, type=_Answer)
    except msgspec.MsgspecError as error:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:_MESSAGE]
        raise ModelError(
            f"{where}: the process that tried this model out broke ({last or f'it ended with {done.returncode}'}).",
            "Nothing was stored.",
        ) from error
    if answer.memory:
        raise _too_large(where, bounds)
    if answer.message:
        raise ModelError(answer.message, answer.cure)


def main() -> None:
    """The process: a request and the pickle that it is about come by stdin, what came of it goes to stdout."""
    settings, where = json.loads(sys.stdin.buffer.readline())
    config, data = Config.model_validate(settings), sys.stdin.buffer.read()
    _confine(config.security.trial)
    try:
        try_out(config, read_pickle(config, data, where), where)
        answer = _Answer()
    except MemoryError:
        answer = _Answer(memory=True)
    except DriftlineError as error:
        answer = _Answer(error.message[:_MESSAGE], error.cure)
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    sys.stdout.flush()
    os._exit(0)  # taking apart what the pickle made may take as long as making it


def _request(config: Config, where: str) -> bytes:
    """One line of JSON: the configuration as it was given, since not all defaults may stand beside what was; and the
    pickle's name.
    """
    return json.dumps([config.model_dump(mode="json", exclude_unset=True), where]).encode() + b"\n"


def _confine(bounds: TrialConfig) -> None:
    """From here on this process may take so much and no more, and write no file."""
    os.nice(_NICE)
    cpu = int(_time_taken() + bounds.time) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere there is no bound that holds
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        size = pages * resource.getpagesize() + bounds.memory
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _time_taken() -> float:
    """Processor seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _environment() -> dict[str, str]:
    """One in which the same modules are found as here, and one thread is enough for NumPy."""
    kept = {name: value for name in _KEPT if (value := os.environ.get(name)) is not None}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}


def _too_long(where: str, bounds: TrialConfig) -> ModelError:
    return ModelError(
        f"{where}: opening this model and trying it out takes longer than {written(bounds.time)}. Nothing was stored.",
        "If you trust who made it, raise security.trial.time.",
    )


def _too_large(where: str, bounds: TrialConfig) -> ModelError:
    return ModelError(
        f"{where}: opening this model and trying it out takes more than {bounds.memory:,} bytes of memory. Nothing was "
        "stored.",
        "If you trust who made it, raise security.trial.memory.",
    )
