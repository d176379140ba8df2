"""The seam to the Kafka client, where the client alone would not do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing

from stream.kafka.client import Consumer
from tests.integration.service.conftest import MakeStage
from tests.integration.support.stage import event, label
from tests.integration.support.waiting import until


class Nobody:
    """An owner with nothing to finish."""

    def assigned(self, partitions: Iterable[tuple[str, int]]) -> None:
        pass

    def revoking(self, partitions: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        return {}

    def revoked(self, partitions: Iterable[tuple[str, int]], *, committed: bool) -> None:
        pass


def test_a_resumed_partition_is_read_on_while_the_others_have_nothing_new(make_stage: MakeStage) -> None:
    stage = make_stage({"kafka": {"max_poll_records": 10}})
    events, labels = stage.topic("events"), stage.topic("labels")
    stage.produce("events", [event(n) for n in range(25)])
    stage.produce("labels", [label(n) for n in range(25)])

    with closing(Owned(Consumer(stage.config, Nobody()))) as owned:
        read = owned.read

        def read_until(enough: Callable[[], bool]) -> None:
            until(lambda: owned.poll() and enough(), timeout=20)

        read_until(lambda: 0 < read[labels] < 25 or read[labels] + read[events] == 50)
        assert read[labels] < 25, "the labels were to be paused in the middle"
        owned.consumer.pause(labels, 0)
        stage.produce("events", [event(n) for n in range(25, 30)])
        read_until(lambda: read[events] == 30)
        owned.consumer.resume(labels, 0)

        read_until(lambda: read[labels] == 25)


class Owned:
    """A consumer that counts what it polls and can be closed."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.read: Counter[str] = Counter()

    def poll(self) -> bool:
        for (topic, _), batch in self.consumer.poll(0.1).items():
            self.read[topic] += len(batch)
        return True

    def close(self) -> None:
        self.consumer.close(5.0)
