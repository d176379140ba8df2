"""`driftline check --connect` against a real Kafka and a real Valkey, and against none."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
import typer
from kafka import KafkaAdminClient, KafkaProducer

from stream.cli.check import check
from stream.cli.init import init
from stream.config.load import load
from stream.config.model import TopicsConfig
from stream.errors import BrokerError, ConfigError
from stream.kafka.topics import check_topics, describe, ensure_topics

T0_MS, DAY_MS = 1_357_034_400_000, 86_400_000
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as client:
        yield client


@pytest.fixture
def topics() -> TopicsConfig:
    """Topics that nobody has yet."""
    app = f"t{uuid.uuid4().hex[:8]}"
    names = {"events": "ev", "labels": "lb", "predictions": "pr", "alerts": "al", "dead_letters": "dl"}
    return TopicsConfig(**{use: f"{app}.{name}" for use, name in names.items()})


@pytest.fixture
def service(
    bootstrap: str, redis_url: str, topics: TopicsConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A configuration for the running box, with a signing key."""
    monkeypatch.setenv("DRIFTLINE_SIGNING_KEY", KEY)
    path = tmp_path / "service.yaml"
    named = "\n".join(f"  {use}: {name}" for use, name in topics.model_dump(exclude_none=True).items())
    path.write_text(
        f"app: demo\nkafka: {{bootstrap_servers: '{bootstrap}'}}\nredis: {{url: '{redis_url}'}}\n"
        f"topics:\n{named}\nevents: {{features: {{x: {{type: number}}}}}}\n"
        "model: {name: m, problem: binary, learner: {kind: logistic}}\n"
    )
    return path


def create(admin: KafkaAdminClient, **partitions: int) -> None:
    admin.create_topics({name: {"num_partitions": n} for name, n in partitions.items()}, wait_for_metadata=True)


def keep_snapshots_in(directory: Path, service: Path) -> None:
    with service.open("a") as file:
        file.write(f"runtime: {{snapshot_directory: '{directory}'}}\n")


def output(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_missing_topics_are_named_with_the_cure(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left:
        check(service, connect=True)

    lines = output(capsys)
    topics = load(service).topics
    assert left.value.exit_code == 1
    assert f"✗ topic {topics.labels} does not exist" in lines
    assert lines.count(
        "Create it with `driftline check -c FILE --connect --create-topics`, or correct its name under topics."
    ) == len(topics.model_dump())
    assert any(line.startswith("✓ Redis answers at ") for line in lines)


def test_created_topics_have_the_wanted_partitions_and_all_is_well(
    service: Path, admin: KafkaAdminClient, capsys: pytest.CaptureFixture[str]
) -> None:
    check(service, connect=True, create_topics=True, partitions=3)

    topics = load(service).topics
    states = describe(admin, topics.model_dump().values())
    assert states[topics.events].partitions == states[str(topics.labels)].partitions == 3
    assert states[topics.predictions].partitions == 3
    assert states[topics.alerts].partitions == 1
    assert output(capsys)[-1].startswith("All well.")


def test_creating_twice_changes_nothing(admin: KafkaAdminClient, topics: TopicsConfig) -> None:
    first = ensure_topics(admin, topics, 2)

    assert len(first) == 5
    assert ensure_topics(admin, topics, 4) == []
    assert check_topics(admin, topics) == 2


def test_a_missing_labels_topic_is_made_like_its_events(admin: KafkaAdminClient, topics: TopicsConfig) -> None:
    create(admin, **{topics.events: 4})

    ensure_topics(admin, topics, 2)

    assert check_topics(admin, topics) == 4


def test_labels_with_another_partition_count_are_refused_with_both_counts(
    admin: KafkaAdminClient, topics: TopicsConfig
) -> None:
    create(admin, **{topics.events: 6, str(topics.labels): 3})
    ensure_topics(admin, topics)

    with pytest.raises(BrokerError) as caught:
        check_topics(admin, topics)

    assert caught.value.message == (
        f"topic {topics.labels} has 3 partitions and {topics.events} has 6; they must have the same number, so that "
        "labels meet their events"
    )
    assert f"--alter --topic {topics.labels} --partitions 6" in str(caught.value.cure)


def test_asking_for_topics_creates_none(admin: KafkaAdminClient, topics: TopicsConfig) -> None:
    with pytest.raises(BrokerError):
        check_topics(admin, topics)

    assert topics.events not in admin.list_topics()


def test_nothing_running_is_told_in_one_line_each(
    service: Path,
    bootstrap: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("DRIFTLINE_SIGNING_KEY")
    text = service.read_text().replace(bootstrap, "127.0.0.1:1").replace(redis_url, "redis://127.0.0.1:1")
    service.write_text(text + "security: {encryption: {}}\n")

    with pytest.raises(typer.Exit) as left:
        check(service, connect=True)

    assert left.value.exit_code == 1
    assert [line for line in output(capsys) if line.startswith("✗")] == [
        "✗ security.signing_key: the environment variable DRIFTLINE_SIGNING_KEY is not set.",
        "✗ security.encryption.key: the environment variable DRIFTLINE_ENCRYPTION_KEY is not set.",
        "✗ no Kafka broker answered at 127.0.0.1:1 (connection refused)",
        "✗ Redis at 127.0.0.1:1 refused the connection.",
    ]


def test_a_snapshot_directory_that_can_be_written_to_is_found_well_and_left_as_it_was(
    service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "snapshots"
    directory.mkdir()
    keep_snapshots_in(directory, service)

    check(service, connect=True, create_topics=True)

    assert f"✓ snapshots can be written to {directory / 'demo'}" in output(capsys)
    assert list(directory.iterdir()) == []


def test_a_snapshot_directory_that_is_not_there_is_told(
    service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "volume"
    keep_snapshots_in(directory, service)

    with pytest.raises(typer.Exit):
        check(service, connect=True, create_topics=True)

    lines = output(capsys)
    told = f"✗ runtime.snapshot_directory: {directory} is not there."
    assert [line for line in lines if line.startswith("✗")] == [told]
    assert lines[lines.index(told) + 1].startswith("Create it, or mount the volume it belongs to;")
    assert not directory.exists()


def test_a_snapshot_directory_that_takes_no_files_is_told(
    service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo").write_text("what another program keeps where this service's snapshots would be")
    keep_snapshots_in(tmp_path, service)

    with pytest.raises(typer.Exit):
        check(service, connect=True, create_topics=True)

    [told] = [line for line in output(capsys) if line.startswith("✗")]
    assert told == f"✗ runtime.snapshot_directory: nothing can be written to {tmp_path / 'demo'} (Not a directory)."


def test_an_identity_provider_that_cannot_be_asked_is_told(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jwt = "{issuer: i, audience: a, keys: 'http://127.0.0.1:1/keys', roles: {r: viewer}}"
    with service.open("a") as file:
        file.write(f"http: {{auth: {{jwt: {jwt}}}}}\n")

    check(service)
    without = output(capsys)
    with pytest.raises(typer.Exit):
        check(service, connect=True, create_topics=True)

    lines = output(capsys)
    [told] = [line for line in lines if line.startswith("✗")]
    assert len(without) == 1
    assert told.startswith("✗ the keys of the identity provider cannot be had: http://127.0.0.1:1/keys: ")
    assert lines[lines.index(told) + 1].startswith("See that http.auth.jwt.issuer, or keys, is right")


def test_a_right_file_is_ok_without_looking_outside(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(service)

    assert output(capsys) == [f"OK {service}: service demo, model m (binary, logistic), 1 feature, detectors: none"]


def test_creating_topics_needs_a_connection(service: Path) -> None:
    with pytest.raises(ConfigError, match="--create-topics needs --connect"):
        check(service, create_topics=True)


def test_init_reads_a_sample_from_a_topic(
    bootstrap: str, admin: KafkaAdminClient, topics: TopicsConfig, tmp_path: Path
) -> None:
    labels = str(topics.labels)
    create(admin, **{topics.events: 2, labels: 2})
    with closing(KafkaProducer(bootstrap_servers=bootstrap)) as producer:
        for i in range(20):
            event = f'{{"id": "e{i}", "x": {i}, "kind": "{"ab"[i % 2]}"}}'.encode()
            producer.send(topics.events, event, timestamp_ms=T0_MS + i)
            label = f'{{"event": "e{i}", "km": {i / 3}}}'.encode()
            producer.send(labels, label, timestamp_ms=T0_MS + i + 10 * DAY_MS)
        producer.flush()
    written = tmp_path / "first.yaml"

    init(from_topic=topics.events, labels_topic=labels, bootstrap=bootstrap, output=written)

    config = load(written, {})
    assert (config.topics.events, config.topics.labels) == (topics.events, labels)
    assert (config.labels.id, config.labels.label) == ("event", "km")
    assert config.labels.ttl == 20 * 86_400
    assert config.kafka.bootstrap_servers == bootstrap
    assert sorted(config.events.features) == ["kind", "x"]


def test_init_from_a_topic_that_is_not_there_says_so(bootstrap: str, tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="topic nowhere does not exist"):
        init(from_=None, from_topic="nowhere", bootstrap=bootstrap, output=tmp_path / "x.yaml")


def as_user_who_may(service: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch, *allowed: str) -> None:
    """Have the service log in to the store as a user of its own, with these permissions and no others."""
    user = f"u{uuid.uuid4().hex[:8]}"
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "SETUSER", user, "on", ">pw", *allowed)
    monkeypatch.setenv("STORE_PASSWORD", "pw")
    named = f"url: 'redis://{user}@{redis_url.removeprefix('redis://')}', password: {{env: STORE_PASSWORD}}"
    service.write_text(service.read_text().replace(f"url: '{redis_url}'", named))


def test_a_store_without_permission_for_scripts_is_told(
    service: Path, redis_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user_who_may(service, redis_url, monkeypatch, "~*", "+ping", "+client", "+hello")

    with pytest.raises(typer.Exit):
        check(service, connect=True, create_topics=True)

    [told] = [line for line in output(capsys) if line.startswith("✗")]
    assert "does not allow this user" in told


def test_a_store_whose_scripts_may_not_ask_for_the_time_is_told_with_what_to_allow(
    service: Path, redis_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = ("+@read", "+@write", "+@scripting", "+@pubsub", "+@connection")
    as_user_who_may(service, redis_url, monkeypatch, "~driftline:*", "&driftline:*", *allowed)

    with pytest.raises(typer.Exit):
        check(service, connect=True, create_topics=True)

    lines = output(capsys)
    [told] = [line for line in lines if line.startswith("✗")]
    assert "does not allow this user" in told
    assert "+time" in lines[lines.index(told) + 1]
