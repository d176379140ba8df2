"""Work that is spread over processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def spread(call: Callable[[Task], Result], tasks: Sequence[Task], jobs: int) -> Iterator[Result]:
    """What the call makes of each task, as soon as it is there. One job is this process; more have one each, leave
    Ctrl-C to this one, and end when the iteration is left.
    """
    if jobs == 1:
        yield from map(call, tasks)
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of the processes that follow: each is one of several
    with get_context("spawn").Pool(jobs, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        yield from pool.imap_unordered(call, tasks)
