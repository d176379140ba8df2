"""The jars of Apache Kafka: fetched once, kept in the user's cache, checked at every start.

`kafka-4.1.1.sha256`, beside this file, lists every jar with its SHA-256 in the format of `sha256sum` (made by
`scripts/lock_jars.py`). Paths are those of a Maven repository, so the list is also the list of what to fetch: nothing
is resolved at run time, and nothing but exactly these bytes ever runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stream.embedded.errors import FetchError, JarsRefusedError
from stream.embedded.extra import import_extra

KAFKA_VERSION = "4.1.1"
# slf4j-simple is Kafka's logger here: it writes to standard error, which goes to a file, and needs no configuration.
COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")
LOCK_FILE = Path(__file__).with_name(f"kafka-{KAFKA_VERSION}.sha256")

_PARALLEL = 8
_ATTEMPTS = 3
_TIMEOUT_SECONDS = 20


def cache_dir() -> Path:
    """Driftline's cache of this user: DRIFTLINE_CACHE_DIR, or `driftline` in XDG_CACHE_HOME or in ~/.cache."""
    if own := os.environ.get("DRIFTLINE_CACHE_DIR"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).absolute() if base else Path.home() / ".cache") / "driftline"


def read_lock(lock_file: Path = LOCK_FILE) -> dict[str, str]:
    """SHA-256 (hexadecimal) by path in a Maven repository."""
    pairs = (line.split() for line in lock_file.read_text(encoding="ascii").splitlines())
    return {path: digest for digest, path in pairs}


def locate(console: Console | None = None) -> Path:
    """The directory with the verified jars, in the layout of a Maven repository; they are fetched when it is missing.

    `console` shows the progress. Raises `JarsRefusedError` (see `verify`), `FetchError` and `MissingExtraError`.
    """
    # The name carries the lock's digest: another set of jars, also for the same Kafka, has another directory.
    edition = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()[:8]
    jars = cache_dir() / f"kafka-{KAFKA_VERSION}-{edition}"
    wanted = read_lock()
    if not jars.is_dir():
        with cache_lock(jars):
            if not jars.is_dir():
                _fetch(wanted, jars, console or Console(quiet=True))
    verify(jars, wanted, cure=f"Remove {jars}; the next start fetches it again.")
    return jars


def verify(jars: Path, wanted: Mapping[str, str], cure: str) -> None:
    """Raise `JarsRefusedError`, with `cure`, unless the jars below `jars` are exactly `wanted` (SHA-256 by path)."""
    found = {path.relative_to(jars).as_posix(): path for path in jars.rglob("*.jar")}
    complaints = [f"{path} is missing" for path in sorted(wanted.keys() - found.keys())]
    complaints += [f"{path} does not belong there" for path in sorted(found.keys() - wanted.keys())]
    for path in sorted(wanted.keys() & found.keys()):
        digest = hashlib.sha256(found[path].read_bytes()).hexdigest()
        if digest != wanted[path]:
            complaints.append(f"{path} has SHA-256 {digest}; expected {wanted[path]}")
    if complaints:
        rest = f"; and {len(complaints) - 3} more" if len(complaints) > 3 else ""
        raise JarsRefusedError(f"Apache Kafka in {jars} is refused: {'; '.join(complaints[:3])}{rest}.", cure)


@contextlib.contextmanager
def cache_lock(target: Path) -> Iterator[None]:
    """Let one process at a time make `target`, a file or directory of the cache. Raises `FetchError`."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = Path(f"{target}.lock").open("w")  # noqa: SIM115 - the body's own OSErrors must not be caught here
    except OSError as error:
        raise FetchError(
            f"Cannot write to the cache {target.parent} ({error.strerror}).",
            cure="Name a directory of yours in the environment variable DRIFTLINE_CACHE_DIR.",
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(wanted: Mapping[str, str], target: Path, console: Console) -> None:
    """Fetch `wanted` into a directory of its own, verify it there, then give it its name: all of it or none."""
    for abandoned in target.parent.glob(f"{target.name}.part-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{target.name}.part-", dir=target.parent))
    try:
        with _progress(console) as progress:
            task = progress.add_task(f"Fetching Apache Kafka {KAFKA_VERSION} (once)", total=len(wanted))
            for path, error in _download_all(list(wanted), staging):
                if error is not None:
                    raise _fetch_error(path, error, target) from error
                progress.advance(task)
        verify(staging, wanted, cure="What was fetched is not what was published; is there a proxy that alters files?")
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _download_all(paths: list[str], repository: Path) -> Iterator[tuple[str, Exception | None]]:
    """Download every path into `repository`, several at a time; yield each with its error, if any, as it is done."""
    download = _downloader(repository)
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, Exception | None]] = queue.SimpleQueue()
    for path in paths:
        waiting.put(path)

    def work() -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                path = waiting.get_nowait()
                try:
                    download(path)
                    done.put((path, None))
                except Exception as error:  # noqa: BLE001 - whatever it is, the waiting side raises it
                    done.put((path, error))

    # Daemon threads, not an executor: an interrupted program must not wait for the downloads that are under way.
    for _ in range(_PARALLEL):
        threading.Thread(target=work, daemon=True).start()
    for _ in paths:
        yield done.get()


def _downloader(repository: Path) -> Callable[[str], None]:
    """A function that downloads one path of a Maven repository through jgo, mirrors of the user's jgo.conf first."""
    jgo_maven = import_extra("jgo.maven")
    mirrors = import_extra("jgo.config").GlobalSettings.load().repositories
    central = import_extra("jgo.constants").MAVEN_CENTRAL_URL
    # An empty list of local repositories: what is on this machine already is not known to be the published file.
    maven = jgo_maven.MavenContext(
        repo_cache=repository,
        local_repos=[],
        remote_repos={**mirrors, "central": central},
        timeout=_TIMEOUT_SECONDS,
    )
    unreachable = import_extra("requests").RequestException

    def download(path: str) -> None:
        *group, artifact, version, _ = PurePosixPath(path).parts
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                maven.project(".".join(group), artifact).at_version(version).artifact().resolve()
                return
            except unreachable:
                (repository / path).unlink(missing_ok=True)  # half a file would count as the whole one
                if attempt == _ATTEMPTS:
                    raise

    return download


def _fetch_error(path: str, error: Exception, target: Path) -> FetchError:
    return FetchError(
        f"Could not fetch Apache Kafka {KAFKA_VERSION} from Maven Central, which is needed once: "
        f"{PurePosixPath(path).name} failed ({_why(error)}).",
        cure="Connect this machine to the network, or name a mirror in the [repositories] of jgo's settings file "
        f"(~/.config/jgo.conf), or copy {target} from a machine that has it, or use a Kafka of your own.",
    )


def _why(error: BaseException) -> str:
    """What is behind it, as the system has it: the libraries in between wrap that in names of their own."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.strerror:
            return at.strerror
        at = at.__cause__ or at.__context__
    return str(error)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("jars"))
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
