"""`driftline alerts tail`, `predictions tail` and `deadletters tail`, as people and programs use them."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec
import pytest
from kafka import KafkaProducer

from stream.audit import AuditEntry
from stream.cli import again
from stream.decode import EventDecoder
from stream.embedded import EmbeddedKafka
from stream.embedded.ports import free_port
from stream.records import Alert, Prediction, Rejected
from stream.sinks.kafka import KafkaSink
from stream.testing import Raw, small_config
from tests.integration.support.outside import T0, Given, Outside, opened


class Tail:
    """A tail at work, its lines as they come."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            again.command(*arguments),
            env=again.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._readers: list[threading.Thread] = []
        self._out, self._err = (self._lines(stream) for stream in (self._process.stdout, self._process.stderr))

    def line(self) -> str:
        """The next line on stdout."""
        return self._out.get(timeout=40)

    def complaint(self) -> str:
        """The next line on stderr."""
        return self._err.get(timeout=40)

    def end(self) -> tuple[int, list[str], list[str]]:
        """Exit code, and the lines that were not read, once it has ended by itself."""
        code = self._process.wait(40)
        return code, list(iter(self._out.get, "")), list(iter(self._err.get, ""))

    def interrupt(self) -> tuple[int, list[str], list[str]]:
        """Ctrl-C; the end."""
        self._process.send_signal(signal.SIGINT)
        return self.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(10)
        for reader in self._readers:
            reader.join(10)

    def _lines(self, stream: IO[str] | None) -> queue.Queue[str]:
        """Lines as they come; the last one is empty."""
        assert stream is not None
        lines: queue.Queue[str] = queue.Queue()

        def read() -> None:
            with stream:
                for line in stream:
                    lines.put(line.rstrip("\n"))
            lines.put("")

        self._readers.append(threading.Thread(target=read, daemon=True))
        self._readers[-1].start()
        return lines


@pytest.fixture(scope="module")
def outside(broker: EmbeddedKafka) -> Iterator[Outside]:
    with opened(broker.bootstrap_servers) as outside:
        yield outside


@pytest.fixture
def topic(outside: Outside) -> str:
    """A topic with two partitions."""
    name = f"t{uuid.uuid4().hex[:8]}"
    outside.create(name, partitions=2)
    return name


def alert(n: int) -> Given:
    value = Alert(
        id=f"a{n}",
        ts=T0 + n * 60,
        kind="data_drift",
        severity="warning",
        model="m",
        model_version=1,
        partition=0,
        offset=n,
        feature=f"f{n}",
    )
    return Given(msgspec.json.encode(value), b"m", T0 + n * 60, n % 2)


def prediction(n: int) -> Given:
    value = Prediction(f"e{n}", "k", T0 + n * 60, True, {"true": 0.75, "false": 0.25}, "m", 1, 0.5, n % 2, n)
    return Given(msgspec.json.encode(value), b"k", T0 + n * 60, n % 2)


def features(lines: list[str]) -> list[str]:
    """What the printed alerts are about."""
    return [line.split()[5] for line in lines]


def test_the_newest_alerts_of_all_partitions_are_shown_in_the_order_of_their_time(
    outside: Outside, topic: str, bootstrap: str
) -> None:
    outside.produce(topic, [alert(n) for n in range(30)])

    with Tail("alerts", "tail", "--bootstrap", bootstrap, "--topic", topic, "-n", "3", "--no-follow") as tail:
        code, out, err = tail.end()

    assert (code, features(out), err) == (0, ["f27", "f28", "f29"], [])


def test_the_ends_of_transactions_do_not_count_as_records(outside: Outside, topic: str, bootstrap: str) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)
    producer.init_transactions()
    for n in range(8):
        given = alert(n)
        producer.begin_transaction()
        producer.send(topic, given.value, partition=given.partition, timestamp_ms=round(given.timestamp * 1000))
        producer.commit_transaction()
    producer.close()

    with Tail("alerts", "tail", "--bootstrap", bootstrap, "--topic", topic, "-n", "3", "--no-follow") as tail:
        code, out, err = tail.end()

    assert (code, features(out), err) == (0, ["f5", "f6", "f7"], [])


@pytest.mark.parametrize("where", [("-n", "3"), ("--from", "beginning")])
def test_a_topic_on_which_there_is_nothing_is_named_on_stderr(
    outside: Outside, topic: str, bootstrap: str, where: tuple[str, str]
) -> None:
    with Tail("alerts", "tail", "--bootstrap", bootstrap, "--topic", topic, *where, "--no-follow") as tail:
        code, out, err = tail.end()

    assert (code, out, err) == (0, [], [f"Nothing to show: there is no record on {topic} at {bootstrap}."])


def test_from_the_beginning_every_record_is_one_line_of_json(outside: Outside, topic: str, bootstrap: str) -> None:
    given = [prediction(n) for n in range(2_500)]
    outside.produce(topic, given)

    arguments = ("--bootstrap", bootstrap, "--topic", topic, "--from", "beginning", "--no-follow", "--json")
    with Tail("predictions", "tail", *arguments) as tail:
        code, out, err = tail.end()

    assert (code, err) == (0, [])
    assert sorted(out) == sorted(given_.value.decode() for given_ in given if given_.value)
    assert json.loads(out[0])["probabilities"] == {"true": 0.75, "false": 0.25}


def test_what_comes_later_is_shown_when_it_comes_until_ctrl_c(outside: Outside, topic: str, bootstrap: str) -> None:
    outside.produce(topic, [alert(0)])

    with Tail("alerts", "tail", "--bootstrap", bootstrap, "--topic", topic) as tail:
        first = tail.line()
        outside.produce(topic, [alert(1)])
        second = tail.line()
        code, out, err = tail.interrupt()

    assert features([first, second]) == ["f0", "f1"]
    assert (code, out, err) == (130, [], [])


def test_a_record_that_is_no_alert_is_named_and_left_out(outside: Outside, topic: str, bootstrap: str) -> None:
    outside.produce(topic, [Given(b"{}", timestamp=T0), Given(None, timestamp=T0), alert(2)])

    with Tail("alerts", "tail", "--bootstrap", bootstrap, "--topic", topic, "--no-follow") as tail:
        code, out, err = tail.end()

    assert (code, features(out)) == (0, ["f2"])
    assert [line.split(" was left out: ")[0] for line in err] == [f"{topic}[0]@0", f"{topic}[0]@1"]


SECRET = b'{"id": "e1", "x": "Ada Lovelace"}'


def dead(value: bytes) -> Given:
    """The dead letter that this value of an event becomes."""
    (rejected,) = EventDecoder(small_config()).decode([Raw(value, b"k", "events", 3, 70)])
    assert isinstance(rejected, Rejected)
    sent = KafkaSink(small_config()).dead_letter(rejected)
    return Given(sent.value, sent.key, T0, headers=tuple(sent.headers))


def test_dead_letters_are_shown_with_why_and_what_they_are_like_and_nothing_of_what_they_say(
    outside: Outside, topic: str, bootstrap: str
) -> None:
    outside.produce(topic, [dead(SECRET), Given(b"of others", timestamp=T0 + 1)])

    where = ("--bootstrap", bootstrap, "--topic", topic, "--no-follow")
    with Tail("deadletters", "tail", *where) as tail:
        code, out, err = tail.end()
    with Tail("deadletters", "tail", *where, "--json", "-n", "2") as tail:
        _, lines, _ = tail.end()

    assert (code, err) == (0, [])
    why, like = "feature 'x' is a text; expected a number.", '{"id":"text(2)","x":"text(12)"}'
    assert out == [
        f"2023-11-14 22:13  wrong type      events[3]@70  {why}  {like}",
        f"2023-11-14 22:13  unknown         {topic}[0]@1  unknown  aa aaaaaa",
    ]
    told = [json.loads(line) for line in lines]
    assert [(one["topic"], one["offset"], one["reason"]) for one in told] == [
        ("events", 70, "wrong_type"),
        (topic, 1, "unknown"),
    ]
    assert told[0]["value"] == like


def test_who_asks_for_dead_letters_as_they_are_gets_them_and_is_in_the_audit(
    outside: Outside, topic: str, bootstrap: str, tmp_path: Path
) -> None:
    outside.create(f"{topic}-audit")
    outside.produce(topic, [dead(SECRET)])
    service = tmp_path / "service.yaml"
    service.write_text(
        f"""
app: t
kafka: {{bootstrap_servers: '{bootstrap}'}}
topics: {{events: e, labels: l, predictions: p, alerts: a, dead_letters: {topic}, audit: {topic}-audit}}
events: {{features: {{x: {{type: number}}}}}}
model: {{name: m, problem: binary, learner: {{kind: logistic}}}}
"""
    )

    with Tail("deadletters", "tail", "-c", str(service), "--no-follow", "--json", "--raw") as tail:
        code, out, err = tail.end()
    with Tail("deadletters", "tail", "-c", str(service), "--no-follow") as tail:
        _, scrubbed, _ = tail.end()

    assert (code, err) == (0, [])
    (told,) = map(json.loads, out)
    assert told["value"] == SECRET.decode()
    assert '"Ada Lovelace"; expected a number' in told["message"]
    assert not any("Ada" in line for line in scrubbed)
    asked, done = (msgspec.json.decode(one.value or b"", type=AuditEntry) for one in outside.read(f"{topic}-audit"))
    assert (asked.action, asked.target, asked.via) == ("quality.raw", f"topic {topic}", "command line")
    assert (asked.outcome, done.outcome) == ("asked", "done")


def test_a_topic_that_is_not_there_is_told_at_once(bootstrap: str) -> None:
    with Tail("alerts", "tail", "--bootstrap", bootstrap, "--topic", "no-such-topic") as tail:
        code, out, err = tail.end()

    assert (code, out) == (1, [])
    assert "topic 'no-such-topic' does not exist" in err[0]


def test_without_a_broker_nothing_is_waited_for_when_only_what_is_there_is_wanted() -> None:
    nowhere = f"127.0.0.1:{free_port()}"

    with Tail("alerts", "tail", "--bootstrap", nowhere, "--topic", "t", "--no-follow") as tail:
        code, out, err = tail.end()

    assert (code, out) == (1, [])
    assert err[0].startswith(f"driftline: no Kafka broker answered at {nowhere}")


def test_a_tail_waits_for_its_broker_and_outlives_its_restart() -> None:
    broker = EmbeddedKafka()
    with broker:
        address = broker.bootstrap_servers
        with opened(address) as outside:
            outside.create("alerts")
            outside.produce("alerts", [alert(0)])
        broker.stop()

        with Tail("alerts", "tail", "--bootstrap", address, "--topic", "alerts") as tail:
            missing = tail.complaint()
            broker.start()
            before = tail.line()
            broker.kill()
            gone = tail.complaint()
            broker.start()
            back = tail.complaint()
            with opened(address) as outside:
                outside.produce("alerts", [alert(2)])
            after = tail.line()
            code, _, err = tail.interrupt()

    assert missing.startswith(f"no Kafka broker answered at {address}")
    assert gone.startswith(f"Kafka at {address} does not answer")
    assert back == f"Kafka at {address} is back."
    assert features([before, after]) == ["f0", "f2"]
    assert (code, err) == (130, [])
