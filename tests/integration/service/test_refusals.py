"""Where a service cannot work, it says so in words and ends; it does not start, wait or fall over its own feet."""

from __future__ import annotations

import socket

import pytest

from stream.errors import BrokerError, ConfigError
from stream.service import Service
from tests.integration.service.conftest import MakeStage
from tests.integration.support.running import Process
from tests.integration.support.stage import Stage


def test_a_label_topic_with_another_partition_count_ends_the_command_with_a_clear_error(make_stage: MakeStage) -> None:
    stage, other = make_stage(partitions=2), make_stage(partitions=3)
    stage.configure({"topics": {"labels": other.topic("labels")}})

    with Process(stage) as worker:
        code = worker.wait()
        said = worker.log

    assert code == 1
    assert f"topic {other.topic('labels')} has 3 partitions and {stage.topic('events')} has 2" in said
    assert "--alter" in said
    assert "Traceback" not in said


def test_topics_that_are_missing_are_all_named_with_the_cure(stage: Stage) -> None:
    stage.configure({"topics": {"events": "nowhere.events", "alerts": "nowhere.alerts"}})

    with pytest.raises(BrokerError) as refused:
        Service(stage.config).run()

    assert "topic nowhere.events does not exist" in str(refused.value)
    assert "topic nowhere.alerts does not exist" in str(refused.value)
    assert "driftline check -c FILE --connect --create-topics" in str(refused.value)


def test_a_port_in_use_is_told_before_anything_is_begun(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stage.configure({"http": {"port": taken.getsockname()[1]}})

        with pytest.raises(ConfigError, match=r"http\.port: \d+ on 127\.0\.0\.1 is in use"):
            Service(stage.config).run()

    assert stage.outside.members(stage.group) == []
