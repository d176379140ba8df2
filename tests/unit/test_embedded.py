"""The embedded servers without a broker: fetching and checking jars, ports, directories, guarded processes."""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stream.cli import dev
from stream.embedded import datadir, instances, jars
from stream.embedded.datadir import DataDir
from stream.embedded.errors import (
    DataDirError,
    EmbeddedError,
    FetchError,
    JarsRefusedError,
    MissingExtraError,
    PortInUseError,
    StartError,
)
from stream.embedded.extra import folder_of_extra, import_extra
from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.ports import HOST, free_port, is_free, require_free
from stream.embedded.process import GuardedProcess

# jgo leaves the closing of its connections to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ARTIFACTS = ("org/example/broker/1.0/broker-1.0.jar", "org/example/deep/er/client/2.1/client-2.1.jar")
SLEEPER = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)")


class Mirror:
    """A Maven repository on loopback with two small jars, which counts what is asked of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: Counter[str] = Counter()
        for path in ARTIFACTS:
            (root / path).parent.mkdir(parents=True)
            (root / path).write_bytes(f"contents of {path}".encode())
        mirror = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.requests[self.path.removeprefix("/")] += 1
                super().do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
                pass

        self.server = ThreadingHTTPServer((HOST, 0), partial(Handler, directory=str(root)))
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRIFTLINE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def mirror(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A mirror that jgo asks first; nothing else can be reached; the lock file lists the mirror's jars."""
    made = Mirror(tmp_path / "repository")
    settings = tmp_path / "jgo.conf"
    settings.write_text(f"[repositories]\nmirror = http://{HOST}:{made.server.server_port}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", f"http://{HOST}:9")
    monkeypatch.setenv("no_proxy", HOST)
    lock = tmp_path / "lock.sha256"
    digests = {path: hashlib.sha256((made.root / path).read_bytes()).hexdigest() for path in ARTIFACTS}
    lock.write_text("".join(f"{digest}  {path}\n" for path, digest in digests.items()))
    monkeypatch.setattr(jars, "LOCK_FILE", lock)
    monkeypatch.setattr(jars, "read_lock", partial(jars.read_lock, lock))
    yield made
    made.close()
    gc.collect()  # here, where the warning is ignored, and not in the middle of some other test


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Callable[..., GuardedProcess]]:
    """Makes guarded processes and ends them after the test."""
    made: list[GuardedProcess] = []

    def make(*command: str) -> GuardedProcess:
        lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
        try:
            process = GuardedProcess("Test", command, cwd=tmp_path, log=tmp_path / "log", lock=lock, scratch=None)
        finally:
            os.close(lock)
        made.append(process)
        return process

    yield make
    for process in made:
        process.kill()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true within 20 s"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_shipped_lock_file_names_kafka_and_a_digest_for_every_jar() -> None:
    locked = jars.read_lock()
    assert "org/apache/kafka/kafka_2.13/4.1.1/kafka_2.13-4.1.1.jar" in locked
    assert len(locked) == 46
    assert {len(digest) for digest in locked.values()} == {64}


def test_cache_directory_follows_its_variable_then_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("DRIFTLINE_CACHE_DIR", raising=False)
    assert jars.cache_dir() == tmp_path / "driftline"
    monkeypatch.setenv("DRIFTLINE_CACHE_DIR", str(tmp_path / "own"))
    assert jars.cache_dir() == tmp_path / "own"


def test_jars_are_fetched_once_and_need_no_network_afterwards(mirror: Mirror) -> None:
    folder = jars.locate()
    mirror.close()
    assert jars.locate() == folder
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.jar")} == set(ARTIFACTS)


def test_two_starts_at_once_fetch_every_jar_once(mirror: Mirror) -> None:
    found: list[Path] = []
    starts = [threading.Thread(target=lambda: found.append(jars.locate())) for _ in range(2)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert found[0] == found[1]
    assert [mirror.requests[path] for path in ARTIFACTS] == [1, 1]


def test_jar_that_was_altered_on_its_way_is_refused_and_not_kept(mirror: Mirror, cache: Path) -> None:
    (mirror.root / ARTIFACTS[0]).write_bytes(b"something else")
    with pytest.raises(JarsRefusedError, match=r"broker-1\.0\.jar has SHA-256 .*; expected .*"):
        jars.locate()
    assert not list(cache.rglob("*.jar"))


def test_jar_that_cannot_be_fetched_is_named_with_a_cure_and_nothing_is_kept(mirror: Mirror, cache: Path) -> None:
    (mirror.root / ARTIFACTS[1]).unlink()
    with pytest.raises(FetchError, match=r"(?s)client-2\.1\.jar failed.*Connect this machine to the network"):
        jars.locate()
    assert not list(cache.rglob("*.jar"))


def test_cache_that_cannot_be_written_names_the_variable_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DRIFTLINE_CACHE_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(FetchError, match="DRIFTLINE_CACHE_DIR"):
        jars.locate()


def test_damaged_cached_jar_is_refused_with_the_directory_to_remove(mirror: Mirror) -> None:
    folder = jars.locate()
    (folder / ARTIFACTS[0]).write_bytes(b"damaged")
    with pytest.raises(JarsRefusedError, match=f"(?s)has SHA-256 .*Remove {folder}"):
        jars.locate()


def test_missing_cached_jar_is_refused(mirror: Mirror) -> None:
    (jars.locate() / ARTIFACTS[0]).unlink()
    with pytest.raises(JarsRefusedError, match=r"broker-1\.0\.jar is missing"):
        jars.locate()


def test_surplus_cached_jar_is_refused(mirror: Mirror) -> None:
    (jars.locate() / "org" / "stowaway.jar").touch()
    with pytest.raises(JarsRefusedError, match=r"org/stowaway\.jar does not belong there"):
        jars.locate()


def test_missing_extra_says_how_to_install_it() -> None:
    for find in (import_extra, folder_of_extra):
        with pytest.raises(MissingExtraError, match=r"(?s)'no_such_package'.*pip install 'driftline\[embedded\]'"):
            find("no_such_package")


def test_free_port_can_be_listened_on() -> None:
    with socket.create_server((HOST, free_port())):
        pass


def test_port_of_another_listener_is_refused() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(PortInUseError, match=f"Port {port} on {HOST} is in use"):
            require_free(port, "Kafka")


def test_number_that_is_no_port_is_refused() -> None:
    with pytest.raises(PortInUseError, match="got 65536; expected 1 to 65535"):
        require_free(65_536, "Kafka")


def test_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirError, match="cannot write there"):
        DataDir(tmp_path / "file" / "below", "Kafka")


def test_data_directory_has_one_owner_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datadir, "_PATIENCE_SECONDS", 0.0)
    first, second = DataDir(tmp_path, "Kafka"), DataDir(tmp_path, "Kafka")
    lock = first.lock()
    with pytest.raises(DataDirError, match="in use by another running Kafka"):
        second.lock()
    os.close(lock)
    os.close(second.lock())


def test_temporary_data_directory_is_removed_and_a_given_one_is_kept(tmp_path: Path) -> None:
    temporary, given = DataDir(None, "Kafka"), DataDir(tmp_path / "given", "Kafka")
    temporary.remove()
    given.remove()
    assert not temporary.path.exists()
    assert given.path.is_dir()


def test_broker_property_that_ties_it_to_its_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"'log\.dirs' is set by the embedded broker"):
        EmbeddedKafka(tmp_path, properties={"log.dirs": "/elsewhere"})


def test_port_is_unknown_before_the_first_start() -> None:
    with pytest.raises(RuntimeError, match="Call start"):
        _ = EmbeddedKafka().bootstrap_servers


def test_stopped_process_ends_in_order(guarded: Callable[..., GuardedProcess]) -> None:
    process = guarded(*SLEEPER)
    assert process.running
    process.stop(timeout=20)
    assert process.exit_code == 128 + signal.SIGTERM


def test_process_that_does_not_stop_in_time_is_killed(guarded: Callable[..., GuardedProcess], tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    process = guarded(sys.executable, "-I", "-S", "-c", f"{stubborn}; time.sleep(60)")
    wait_until(lambda: (tmp_path / "log").read_text() == "deaf\n")
    process.stop(timeout=0.05)
    assert process.exit_code == 128 + signal.SIGKILL


def test_process_that_ends_by_itself_is_seen_with_its_exit_code(guarded: Callable[..., GuardedProcess]) -> None:
    process = guarded(sys.executable, "-I", "-S", "-c", "raise SystemExit(3)")
    assert process.wait(timeout=20) == 3
    assert not process.running


def test_program_that_cannot_be_run_is_named(guarded: Callable[..., GuardedProcess], tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"could not be run: error: .*no-such-program"):
        guarded(str(tmp_path / "no-such-program"))


def test_interrupted_start_has_ended_the_server_when_it_is_told(
    guarded: Callable[..., GuardedProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers: list[int] = []
    answer = GuardedProcess._answer

    def interrupted(self: GuardedProcess, program: str) -> int:
        servers.append(answer(self, program))
        raise KeyboardInterrupt

    monkeypatch.setattr(GuardedProcess, "_answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        guarded(*SLEEPER)

    assert not is_alive(servers[0])


# What a crash must not leave behind: started in a process of its own, which is then killed.
OWNER = """
import os, sys, time
from pathlib import Path
from stream.embedded.process import GuardedProcess
folder = Path(sys.argv[1])
scratch = folder / "scratch"
scratch.mkdir()
lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
process = GuardedProcess("Test", command, cwd=folder, log=folder / "log", lock=lock, scratch=scratch)
forked = os.fork() if sys.argv[2] == "forks" else 0
if forked or sys.argv[2] != "forks":
    print(process.pid, forked, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("owner_kind", ["plain", "forks"])
def test_killed_owner_leaves_no_server_and_no_temporary_directory(tmp_path: Path, owner_kind: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path), owner_kind], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner.stdout as answer:
        server, forked = map(int, answer.readline().split())
    try:
        assert is_alive(server)
        owner.kill()
        owner.wait()
        wait_until(lambda: not is_alive(server))
        wait_until(lambda: not (tmp_path / "scratch").exists())
    finally:
        if forked:  # it holds the pipe to the guard, as a worker of a killed service would
            os.kill(forked, signal.SIGKILL)


def test_running_box_is_found_until_it_ends(cache: Path, tmp_path: Path) -> None:
    assert instances.running() == []
    with instances.register(tmp_path) as registration:
        starting = instances.Instance(os.getpid(), str(tmp_path))
        assert instances.running(tmp_path) == [starting]
        announced = registration.announce("127.0.0.1:9092", "redis://127.0.0.1:6379/0")
        assert instances.running() == [announced]
    assert instances.running() == []


def test_second_box_in_the_same_directory_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "_PATIENCE_SECONDS", 0.0)
    with (
        instances.register(tmp_path),
        pytest.raises(EmbeddedError, match=f"running in {tmp_path} already"),
        instances.register(tmp_path),
    ):
        pass


def test_entry_of_a_process_that_is_gone_counts_for_nothing(cache: Path) -> None:
    (cache / "dev").mkdir(parents=True)
    (cache / "dev" / "temporary.json").write_text('{"pid": 1, "data_dir": null}')
    assert instances.running() == []


def test_status_without_a_box_says_how_to_start_one(cache: Path) -> None:
    result = CliRunner().invoke(dev.app, ["status"])
    assert result.exit_code == 1
    assert "driftline dev up" in result.stderr


def test_down_without_a_box_is_no_failure(cache: Path) -> None:
    result = CliRunner().invoke(dev.app, ["down"])
    assert (result.exit_code, result.stderr) == (0, "Nothing is running.\n")
