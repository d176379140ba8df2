"""The whole year of flights, and playing simulated streams into a real Kafka."""

from __future__ import annotations

import csv
import io
import json
import threading
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.structs import TopicPartition
from typer import Typer
from typer.testing import CliRunner

from stream.cli.simulate import simulate
from stream.config.kafka import KafkaConfig
from stream.config.model import TopicsConfig
from stream.errors import BrokerError
from stream.simulate.flights import Flights
from stream.simulate.flights_data import data_directory
from stream.simulate.player import PlayStats, play
from stream.simulate.sensor import Sensor
from stream.simulate.wire import Message, encode

PARTITIONS = 3


class Year(NamedTuple):
    events: dict[str, float]
    labels: dict[str, float]
    late: int
    disorder: int
    keys: Counter[bytes]


@pytest.fixture(scope="module")
def year() -> Year:
    """All of 2013, streamed once."""
    events: dict[str, float] = {}
    labels: dict[str, float] = {}
    keys: Counter[bytes] = Counter()
    late = disorder = 0
    now = 0.0
    for topic, timestamp, key, value in Flights():
        disorder += timestamp < now
        now = timestamp
        (events if topic == "events" else labels)[value["id"]] = timestamp
        keys[key] += topic == "events"
        late += value.get("label") is True
    return Year(events, labels, late, disorder, keys)


def rows() -> Iterator[dict[str, str]]:
    """The file itself, read without Driftline."""
    with zipfile.ZipFile(data_directory() / "flights.csv.zip") as archive, archive.open("flights.csv") as raw:
        yield from csv.DictReader(io.TextIOWrapper(raw))


def test_every_flight_of_the_year_has_one_event_in_the_order_of_time(year: Year) -> None:
    assert len(year.events) == 336_776
    assert year.disorder == 0


def test_every_flight_that_arrived_has_a_label_and_no_other(year: Year) -> None:
    arrived = {
        f"2013-{int(row['month']):02}-{int(row['day']):02}-{row['carrier']}-{row['flight']}-{row['origin']}"
        for row in rows()
        if row["arr_delay"] != "NA"
    }

    assert len(arrived) == 327_346
    assert year.labels.keys() == arrived
    assert year.late == 80_100


def test_no_label_is_known_before_its_event(year: Year) -> None:
    assert min(known - year.events[flight] for flight, known in year.labels.items()) > 0


def test_keys_spread_over_partitions(year: Year) -> None:
    assert len(year.keys) == 5_725
    assert year.keys.most_common(1)[0][1] < 0.005 * len(year.events)


@pytest.fixture
def topics(bootstrap: str) -> TopicsConfig:
    """Topics of this test alone, events and labels with the same number of partitions."""
    return make_topics(bootstrap, PARTITIONS, PARTITIONS)


def make_topics(bootstrap: str, events: int, labels: int) -> TopicsConfig:
    name = f"simulate-{uuid.uuid4().hex[:8]}"
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        counts = {f"{name}.events": events, f"{name}.labels": labels}
        wanted = {topic: {"num_partitions": n, "replication_factor": 1} for topic, n in counts.items()}
        admin.create_topics(wanted, wait_for_metadata=True)
    return TopicsConfig(events=f"{name}.events", labels=f"{name}.labels", predictions="p", alerts="a", dead_letters="d")


def read(bootstrap: str, topic: str) -> list[Any]:
    """All records of a topic, as any consumer sees them."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, consumer_timeout_ms=30_000)) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        records = []
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            records += [record for batch in consumer.poll(1000).values() for record in batch]
        return records


def sensor_messages(events: int) -> list[Message]:
    return list(encode(Sensor().records(events=events)))


def test_records_arrive_with_their_simulated_time_key_and_value(bootstrap: str, topics: TopicsConfig) -> None:
    messages = sensor_messages(300)

    stats = play(messages, KafkaConfig(bootstrap_servers=bootstrap), topics)

    assert (stats.events, stats.stopped) == (300, False)
    assert stats.labels == len(messages) - 300
    sent = {(m.key, m.value, round(m.timestamp * 1000)) for m in messages if m.topic == "events"}
    assert {(r.key, r.value, r.timestamp) for r in read(bootstrap, topics.events)} == sent


def test_an_event_and_its_label_are_in_partitions_of_the_same_number(bootstrap: str, topics: TopicsConfig) -> None:
    play(sensor_messages(300), KafkaConfig(bootstrap_servers=bootstrap), topics)

    assert topics.labels is not None
    where = {json.loads(r.value)["id"]: r.partition for r in read(bootstrap, topics.events)}
    labels = read(bootstrap, topics.labels)
    assert labels
    assert len(set(where.values())) == PARTITIONS
    assert all(where[json.loads(r.value)["id"]] == r.partition for r in labels)


def test_each_partition_keeps_the_order_of_time(bootstrap: str, topics: TopicsConfig) -> None:
    play(sensor_messages(1200), KafkaConfig(bootstrap_servers=bootstrap), topics)

    for partition in range(PARTITIONS):
        times = [r.timestamp for r in read(bootstrap, topics.events) if r.partition == partition]
        assert times == sorted(times)


def test_a_stop_ends_playing_with_all_that_was_sent_acknowledged(bootstrap: str, topics: TopicsConfig) -> None:
    stop = threading.Event()

    def endless() -> Iterator[Message]:
        for number, message in enumerate(encode(Sensor().records())):
            if number == 700:
                stop.set()
            yield message

    stats = play(endless(), KafkaConfig(bootstrap_servers=bootstrap), topics, stop=stop)

    assert stats.stopped
    assert stats.events + stats.labels == 700
    assert len(read(bootstrap, topics.events)) == stats.events


def test_a_stop_is_not_kept_waiting_by_a_slow_stream(bootstrap: str, topics: TopicsConfig) -> None:
    stop = threading.Event()
    first = sensor_messages(1)[0]
    in_a_year = first._replace(timestamp=first.timestamp + 31_536_000)
    seen: list[PlayStats] = []

    def two() -> Iterator[Message]:
        yield first
        threading.Timer(0.2, stop.set).start()
        yield in_a_year

    play(two(), KafkaConfig(bootstrap_servers=bootstrap), topics, speed=1.0, stop=stop, on_progress=seen.append)

    assert (seen[-1].events, seen[-1].stopped) == (1, True)


def refused(make: Callable[[], object]) -> str:
    with pytest.raises(BrokerError) as caught:
        make()
    return str(caught.value)


def test_a_missing_topic_is_told_with_its_cure(bootstrap: str) -> None:
    missing = TopicsConfig(events="nobody-made-me", labels="nor-me", predictions="p", alerts="a", dead_letters="d")

    told = refused(lambda: play(sensor_messages(1), KafkaConfig(bootstrap_servers=bootstrap), missing))

    assert "topic nobody-made-me" in told
    assert "--create-topics" in told


def test_topics_with_different_partition_counts_are_refused(bootstrap: str) -> None:
    uneven = make_topics(bootstrap, events=3, labels=2)

    told = refused(lambda: play(sensor_messages(1), KafkaConfig(bootstrap_servers=bootstrap), uneven))

    assert "has 3 partitions" in told
    assert "has 2" in told


def test_a_broker_that_is_not_there_is_told_in_one_message() -> None:
    nobody = KafkaConfig(bootstrap_servers="127.0.0.1:1")
    topics = TopicsConfig(events="e", labels="l", predictions="p", alerts="a", dead_letters="d")

    assert "127.0.0.1:1" in refused(lambda: play(sensor_messages(1), nobody, topics))


def test_the_command_plays_a_stream_and_says_how_far_it_came(
    bootstrap: str, topics: TopicsConfig, tmp_path: Path
) -> None:
    config = tmp_path / "service.yaml"
    named = "\n".join(f"  {use}: {name}" for use, name in topics.model_dump(exclude_none=True).items())
    config.write_text(
        f"app: demo\nkafka: {{bootstrap_servers: '{bootstrap}'}}\ntopics:\n{named}\n"
        "events: {features: {load: {type: number}}}\n"
        "model: {name: m, problem: regression, learner: {kind: linear_regression}}\n"
    )
    app = Typer()
    app.command()(simulate)

    arguments = ["sensor", "-c", str(config), "--events", "200", "--duplicate-rate", "1", "--plain"]
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 0, result.output
    assert "400 events" in result.output
    assert len(read(bootstrap, topics.events)) == 400
