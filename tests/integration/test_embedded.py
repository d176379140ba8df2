"""The embedded Kafka and Valkey as their users rely on them: real clients, restarts, crashes, and `driftline dev`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from stream.cli import again
from stream.embedded import Box, EmbeddedKafka, EmbeddedValkey, instances
from stream.embedded.errors import DataDirError, PortInUseError, StartError
from stream.embedded.jars import cache_dir

LONG_AGO_MS = 1_357_000_000_000  # the first days of 2013


def new_topic(bootstrap: str, **options: Any) -> str:
    name = f"embedded-{uuid.uuid4().hex[:8]}"
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics({name: options}, wait_for_metadata=True)
    return name


def produce(bootstrap: str, topic: str, *values: bytes) -> None:
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all")) as producer:
        for value in values:
            producer.send(topic, value, timestamp_ms=LONG_AGO_MS).get(timeout=30)


def consume(bootstrap: str, topic: str, count: int, **options: Any) -> list[tuple[bytes, int]]:
    """Values and timestamps of the first `count` records (fewer when no more come for 5 s)."""
    options = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 30_000, **options}
    with closing(KafkaConsumer(topic, bootstrap_servers=bootstrap, **options)) as consumer:
        return [(record.value, record.timestamp) for _, record in zip(range(count), consumer, strict=False)]


def pids_of(box: Box) -> list[int]:
    pids = [box.kafka.pid, box.valkey.pid]
    return [pid for pid in pids if pid is not None]


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + 30
    for pid in pids:
        while is_running(pid):
            assert time.monotonic() < deadline, f"process {pid} is still there after 30 s"
            time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def dev_up() -> Iterator[subprocess.Popen[str]]:
    """`driftline dev up --json` in the foreground."""
    process = subprocess.Popen(
        again.command("dev", "up", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=again.environment(),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def driftline(*arguments: str) -> subprocess.CompletedProcess[str]:
    command, environment = again.command(*arguments), again.environment()
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def cache(tmp_path: Path, broker: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own, with the jars of the shared one: what is registered there is the test's."""
    own = tmp_path / "cache"
    own.mkdir()
    for entry in cache_dir().glob("kafka-*"):
        (own / entry.name).symlink_to(entry)
    monkeypatch.setenv("DRIFTLINE_CACHE_DIR", str(own))
    return own


def test_records_of_long_ago_are_taken_kept_and_given_back_with_their_time(bootstrap: str) -> None:
    topic = new_topic(bootstrap, num_partitions=1)
    produce(bootstrap, topic, b"first", b"second")
    assert consume(bootstrap, topic, 2) == [(b"first", LONG_AGO_MS), (b"second", LONG_AGO_MS)]


def test_only_committed_transactions_are_seen_by_a_read_committed_consumer(bootstrap: str) -> None:
    topic = new_topic(bootstrap, num_partitions=1)
    with closing(KafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(topic, b"aborted")
        producer.flush()
        producer.abort_transaction()
        producer.begin_transaction()
        producer.send(topic, b"committed")
        producer.commit_transaction()
    seen = consume(bootstrap, topic, 1, isolation_level="read_committed")
    assert [value for value, _ in seen] == [b"committed"]


def test_group_resumes_where_it_committed(bootstrap: str) -> None:
    topic = new_topic(bootstrap, num_partitions=1)
    produce(bootstrap, topic, b"first", b"second")
    group = {"group_id": topic, "enable_auto_commit": False, "max_poll_records": 1, "auto_offset_reset": "earliest"}
    with closing(KafkaConsumer(topic, bootstrap_servers=bootstrap, **group)) as consumer:
        assert next(consumer).value == b"first"
        consumer.commit()
    with closing(KafkaConsumer(topic, bootstrap_servers=bootstrap, **group)) as consumer:
        assert next(consumer).value == b"second"


def test_topics_are_not_made_by_accident(bootstrap: str) -> None:
    assert consume(bootstrap, "never-made", 1, consumer_timeout_ms=500) == []
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        assert "never-made" not in admin.list_topics()


def test_broker_keeps_its_records_and_port_over_stop_and_kill() -> None:
    with EmbeddedKafka(properties={"num.partitions": "3"}) as kafka:
        address = kafka.bootstrap_servers
        topic = new_topic(address)
        with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
            assert len(admin.describe_topics([topic])[0]["partitions"]) == 3
        produce(address, topic, b"before the stop")
        kafka.stop()
        assert not kafka.running
        kafka.start()
        produce(address, topic, b"before the kill")
        kafka.kill()
        kafka.start()
        assert {value for value, _ in consume(address, topic, 2)} == {b"before the stop", b"before the kill"}
        folder = kafka.data_dir
    assert not folder.exists()


def test_data_of_a_killed_box_is_there_for_the_next_one_with_other_ports(tmp_path: Path) -> None:
    with Box(tmp_path) as first:
        topic = new_topic(first.bootstrap_servers, num_partitions=1)
        produce(first.bootstrap_servers, topic, b"kept")
        with redis.Redis.from_url(first.redis_url) as client:
            client.set("key", "kept")
        first.kill()
        with Box(tmp_path) as second:
            assert second.bootstrap_servers != first.bootstrap_servers
            assert consume(second.bootstrap_servers, topic, 1) == [(b"kept", LONG_AGO_MS)]
            with redis.Redis.from_url(second.redis_url) as client:
                assert client.get("key") == b"kept"


def test_data_directory_of_a_running_broker_is_refused(broker: EmbeddedKafka) -> None:
    with pytest.raises(DataDirError, match="in use by another running Kafka"):
        EmbeddedKafka(broker.data_dir).start()


def test_port_of_a_running_broker_is_refused(broker: EmbeddedKafka) -> None:
    with pytest.raises(PortInUseError, match=f"Port {broker.port} .*Kafka cannot listen there"):
        EmbeddedKafka(port=broker.port).start()


def test_broker_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path, properties={"num.io.threads": "none"})
    with pytest.raises(StartError, match=r"(?s)failed \(exit code 1\).*num\.io\.threads"):
        kafka.start()
    assert not kafka.running


def test_valkey_asks_for_its_password_and_keeps_its_data() -> None:
    with EmbeddedValkey(password='p@ss "word" \\ :/é') as valkey:
        with redis.Redis(port=valkey.port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.get("key")
        with redis.Redis.from_url(valkey.url) as client:
            client.set("key", "kept")
        valkey.kill()
        valkey.start()
        with redis.Redis.from_url(valkey.url) as client:
            assert client.get("key") == b"kept"


def test_killed_owner_leaves_no_server_behind(broker: EmbeddedKafka) -> None:
    program = (
        "import json, time\n"
        "from stream.embedded import Box\n"
        "box = Box()\n"
        "box.start()\n"
        "folders = [str(box.kafka.data_dir), str(box.valkey.data_dir)]\n"
        "print(json.dumps([[box.kafka.pid, box.valkey.pid], folders]), flush=True)\n"
        "time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner.stdout as answer:
        pids, folders = json.loads(answer.readline())
    assert all(map(is_running, pids))
    owner.kill()
    owner.wait()
    wait_until_gone(*pids)
    deadline = time.monotonic() + 10
    while any(Path(folder).exists() for folder in folders):
        assert time.monotonic() < deadline, f"{folders} are still there"
        time.sleep(0.02)


def test_interrupt_of_the_owners_terminal_does_not_reach_the_servers() -> None:
    with Box() as box:
        groups = {os.getpgid(pid) for pid in pids_of(box)}
        sessions = {os.getsid(pid) for pid in pids_of(box)}
        assert os.getpgid(0) not in groups
        assert os.getsid(0) not in sessions


def test_dev_up_serves_until_ctrl_c_and_leaves_nothing(cache: Path) -> None:
    with dev_up() as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        with redis.Redis.from_url(addresses["redis_url"]) as client:
            assert client.ping()
        new_topic(addresses["bootstrap_servers"], num_partitions=1)
        status = json.loads(driftline("dev", "status", "--json").stdout)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert status == [addresses]
    assert (process.returncode, errors) == (0, "Stopping Kafka and Redis.\n")
    assert instances.running() == []


def test_dev_up_that_is_interrupted_while_starting_says_so_and_leaves_nothing(cache: Path) -> None:
    with dev_up() as process:
        deadline = time.monotonic() + 60
        while not instances.running():
            assert time.monotonic() < deadline, "dev up did not begin within 60 s"
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "Interrupted while starting; nothing is left running.\n")
    assert instances.running() == []


def test_dev_down_stops_a_detached_box_and_its_data_is_kept(cache: Path, tmp_path: Path) -> None:
    data_dir = ("--data-dir", str(tmp_path / "data"))
    up = driftline("dev", "up", "--detach", "--json", *data_dir)
    try:
        assert up.returncode == 0, up.stderr
        topic = new_topic(json.loads(up.stdout)["bootstrap_servers"], num_partitions=1)
        again = driftline("dev", "up", *data_dir)
        assert again.returncode == 1
        assert "running in" in again.stderr
        assert "Traceback" not in again.stderr
    finally:
        down = driftline("dev", "down")
    assert down.returncode == 0
    assert instances.running() == []
    with (
        EmbeddedKafka(tmp_path / "data" / "kafka") as kafka,
        closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)) as admin,
    ):
        assert topic in admin.list_topics()


@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_dev_up_says_in_a_message_that_its_port_is_taken(cache: Path, broker: EmbeddedKafka, detach: list[str]) -> None:
    refused = driftline("dev", "up", "--kafka-port", str(broker.port), *detach)
    assert refused.returncode == 1
    assert f"Port {broker.port} on 127.0.0.1 is in use" in refused.stderr
    assert "Traceback" not in refused.stderr
