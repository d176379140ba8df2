"""Snapshots: their size, what taking one costs, and how much of the time they take at the default interval.

    python benchmarks/snapshots.py              # all of it, some minutes
    python benchmarks/snapshots.py --events 10000
    python benchmarks/snapshots.py --algorithms # what signing and encrypting cost, a minute

Each model learns from ten numeric features through the engine (KS on all of them, ADWIN on the errors), with snapshots
of the whole task to a directory whenever one is due by the defaults. At the end its learner is pickled as River's users
do it, and sealed; the sealed one is opened, and both predict and learn from 10,000 further events. The task is sealed
and opened with each algorithm, in turns with plain pickle and zlib. The sealed task is stored in a directory and in
Valkey, with the archive taking it and without; a thread of the worker's does this.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count, cycle
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.engines import spans
from bench.models import MODELS, configuration, rows
from learners.artifacts import LEVEL, KeyRing, SigningKey, Trust, open_sealed, seal
from learners.base import Learner
from learners.envelope import split
from learners.keys import Algorithm, EncryptionKey
from stream.basis import Basis
from stream.config.redis import RedisConfig
from stream.config.runtime import ArchiveConfig
from stream.decode import EventDecoder, LabelDecoder
from stream.embedded import EmbeddedValkey
from stream.kafka.snapshots import Snapshots
from stream.kafka.task import Task
from stream.stores.archive import NO_ARCHIVE, Point
from stream.stores.base import SnapshotStore
from stream.stores.connection import connect
from stream.stores.files import FileSnapshots
from stream.stores.snapshots import RedisSnapshots
from stream.telemetry import Telemetry

KEY = SigningKey("benchmark", b"nothing secret about it")
KEYS = KeyRing([KEY])
PAIR = SigningKey("pair", bytes(range(32)), Algorithm.ED25519)
CIPHER = EncryptionKey("cipher", bytes(32))
WAYS: dict[str, tuple[SigningKey, EncryptionKey | None]] = {
    "HMAC": (KEY, None),
    "Ed25519": (PAIR, None),
    "HMAC, AES": (KEY, CIPHER),
    "Ed25519, AES": (PAIR, CIPHER),
}
ROUNDS = 10
DISTINCT = 50_000
"""Rows before they come again."""
FURTHER = 10_000
BLOCK = 10_000
LEVELS = (1, 3, 6, 9)

LEARNERS: dict[str, tuple[dict[str, Any], int]] = {
    "Scaler + LogisticRegression": (MODELS["Scaler + LogisticRegression"].learner, 4),
    "HoeffdingTree": (MODELS["HoeffdingTree"].learner, 2),
    "ARF(10)": (MODELS["ARF(10)"].learner, 1),
    "recipe ARF (10)": ({"kind": "adaptive_random_forest"}, 1),
}
"""Name -> learner configuration, and how many times as long as the slowest it learns: fast ones need more to time."""

T = TypeVar("T")


class Run(NamedTuple):
    """What came of a run: the trained task, the seconds it took, those spent in taking snapshots, and how many."""

    task: Task
    seconds: float
    saving: float
    saves: int


def run(learner: dict[str, Any], n: int, folder: Path) -> Run:
    """Send `n` events and their labels through a task that is saved when that is due."""
    config = configuration(learner)
    task = Task(config, 0, None, (EventDecoder(config), LabelDecoder(config)))
    snapshots = Snapshots(Basis(config), FileSnapshots(folder, config.app), Trust(KEYS, KEY), Telemetry("benchmark"))
    snapshots.claim(0)
    xs, ys = rows(DISTINCT)
    seconds = saving = 0.0
    saves = 0
    for first in range(0, n, BLOCK):
        part = slice(first % DISTINCT, first % DISTINCT + min(BLOCK, n - first))
        for span in spans(xs[part], ys[part], first=first):
            started = time.perf_counter()
            task.engine.process(span, 1e9)
            processed = time.perf_counter()
            if snapshots.due(task):
                snapshots.save(task, journal=0, sequence=0)
                saves += 1
            saved = time.perf_counter()
            seconds += saved - started
            saving += saved - processed
    snapshots.close(10.0)
    return Run(task, seconds, saving, saves)


def best(call: Callable[[], T], times: int = 5) -> tuple[T, float]:
    """What a call gives, and the least time it took, in milliseconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        made = call()
        taken.append(time.perf_counter() - started)
    return made, 1000 * min(taken)


def sealing_each_way(state: Any) -> list[str]:
    """The CPU time that making and opening bytes of a task takes: plainly in milliseconds, sealed as multiples."""
    ring = KeyRing([KEY, PAIR.public], [CIPHER])
    plainly = zlib.compress(pickle.dumps(state, 5), LEVEL)
    makers: list[Callable[[], bytes]] = [lambda: zlib.compress(pickle.dumps(state, 5), LEVEL)]
    openers: list[Callable[[], Any]] = [lambda: pickle.loads(zlib.decompress(plainly))]
    for key, encryption in WAYS.values():
        makers.append(partial(seal, state, key=key, metadata={}, encryption=encryption))
        openers.append(partial(open_sealed, makers[-1](), keys=ring))
    making, opening = in_turns(makers), in_turns(openers)
    shares = zip(making[1:], opening[1:], strict=True)
    times = [f"{made / making[0]:.2f}, {opened / opening[0]:.2f}" for made, opened in shares]
    return [f"{making[0]:.1f}, {opening[0]:.1f}", *times]


def in_turns(calls: Sequence[Callable[[], object]]) -> list[float]:
    """The least CPU time of each call, in milliseconds, over rounds in which each has its turn."""
    least = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for place, call in enumerate(calls):
            started = time.thread_time()
            call()
            least[place] = min(least[place], 1000 * (time.thread_time() - started))
    return least


def storing(data: bytes) -> tuple[str, str]:
    """What storing a snapshot takes, in a directory and in Valkey."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedValkey() as valkey,
        connect(RedisConfig(url=valkey.url)) as client,
    ):
        in_files = partial(FileSnapshots, Path(folder), "benchmark")
        return storing_in(in_files, data), storing_in(partial(RedisSnapshots, client, "benchmark"), data)


def storing_in(open_store: Callable[[ArchiveConfig], SnapshotStore], data: bytes) -> str:
    """The least time that storing a snapshot takes, in milliseconds: when the archive does not take it, and when."""
    plainly, archived = (open_store(archive) for archive in (NO_ARCHIVE, ArchiveConfig(every=1.0)))
    return f"{saving(plainly, data):.2f}, {saving(archived, data):.2f}"


def saving(store: SnapshotStore, data: bytes) -> float:
    """The least time that a snapshot takes of those that are written a second apart, in milliseconds."""
    owner = store.claim("0")
    others = cycle((data, data[::-1]))  # the same again would not be written
    points = (Point(n, n, n * 1000) for n in count())
    return best(lambda: store.save("0", next(others), owner=owner, point=next(points)), 20)[1]


def continues(original: Learner[Any], opened: Learner[Any]) -> bool:
    """Whether both say the same, bit for bit, while they learn from further events."""
    xs, ys = rows(DISTINCT + FURTHER)
    for start in range(DISTINCT, DISTINCT + FURTHER, 100):
        part, labels = xs[start : start + 100], ys[start : start + 100]
        if repr(original.predict(part)) != repr(opened.predict(part)):
            return False
        original.learn(part, labels)
        opened.learn(part, labels)
    return True


def kilobytes(data: bytes) -> str:
    """The size of some bytes."""
    return f"{len(data) / 1000:,.1f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Size and cost of snapshots.")
    parser.add_argument("--events", type=int, default=50_000, help="events that the slowest model learns from")
    parser.add_argument("--algorithms", action="store_true", help="only what signing and encrypting cost")
    options = parser.parse_args()
    console = Console()
    sizes = Table(title="A learner: pickled and compressed (zlib, level 3) plainly, and sealed. kB, ms")
    sizes.add_column("model")
    for head in ("events", "pickle", "zlib", "ms", "sealed", "ms", "open, ms"):
        sizes.add_column(head, justify="right")
    sizes.add_column(f"{FURTHER:,} further events")
    costs = Table(title="Snapshots of the whole task at the defaults (30 s or 100,000 events, at most 5 % of the time)")
    costs.add_column("model")
    for head in ("task sealed, kB", "ms", "snapshots", "in s", "share of the time"):
        costs.add_column(head, justify="right")
    stored = Table("model", "directory", "Valkey", title="The sealed task stored, ms: not archived, archived")
    ways = Table(
        "model", "plainly", *WAYS, title="A task made into bytes, opened: plainly (ms), and sealed (times that)"
    )
    levels = Table("model", *(f"level {level}: kB, ms" for level in LEVELS), title="A slim pickle, compressed by zlib")
    for name, (learner, longer) in track(LEARNERS.items(), description="snapshots", console=console):
        n = options.events * longer
        with tempfile.TemporaryDirectory() as folder:
            done = run(learner, n, Path(folder))
        state = done.task.engine.state
        ways.add_row(name, *sealing_each_way(state))
        if options.algorithms:
            continue
        champion = state.champion
        plain, pickling = best(lambda: pickle.dumps(champion, 5))  # noqa: B023 - called at once
        small, compressing = best(lambda: zlib.compress(plain, 3), 1)  # noqa: B023
        sealed, sealing = best(lambda: seal(champion, key=KEY, metadata={}))  # noqa: B023
        (_, opened), opening = best(lambda: open_sealed(sealed, keys=KEYS))  # noqa: B023
        whole, whole_sealing = best(lambda: seal(state, key=KEY, metadata={}))  # noqa: B023
        packed = [best(lambda: zlib.compress(raw_of(sealed), level)) for level in LEVELS]  # noqa: B023
        sizes.add_row(
            *(name, f"{n:,}", kilobytes(plain), kilobytes(small), f"{pickling + compressing:,.1f}"),
            *(kilobytes(sealed), f"{sealing:.1f}", f"{opening:.1f}"),
            "identical" if continues(champion, opened) else "DIFFERENT",
        )
        share = f"{100 * done.saving / done.seconds:.2f} %"
        costs.add_row(name, kilobytes(whole), f"{whole_sealing:.1f}", str(done.saves), f"{done.seconds:.0f}", share)
        stored.add_row(name, *storing(whole))
        levels.add_row(name, *(f"{kilobytes(data)}, {ms:.1f}" for data, ms in packed))
    for table in (ways,) if options.algorithms else (sizes, costs, ways, stored, levels):
        console.print(table)


def raw_of(sealed: bytes) -> bytes:
    """The pickle inside sealed bytes."""
    return zlib.decompress(split(sealed).body)


if __name__ == "__main__":
    main()
