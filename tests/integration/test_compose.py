"""What docker-compose.yml says to Kafka, said to a real one of the same version."""

from __future__ import annotations

from contextlib import closing

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from stream.embedded import EmbeddedKafka
from tests.unit.test_compose import service

OF_THE_PLACE = frozenset(
    {
        "process.roles",
        "node.id",
        "controller.quorum.voters",
        "controller.listener.names",
        "inter.broker.listener.name",
        "listeners",
        "advertised.listeners",
        "listener.security.protocol.map",
        "log.dirs",
    }
)
"""Settings of doors and directories, which are others here."""


def settings() -> dict[str, str]:
    """Kafka's own names of what the image is told by its environment."""
    told = {name.removeprefix("KAFKA_"): str(value) for name, value in service("kafka")["environment"].items()}
    return {name.lower().replace("_", "."): value for name, value in told.items()}


def test_the_names_of_doors_and_directories_are_kafkas() -> None:
    assert settings().keys() >= OF_THE_PLACE


def test_kafka_starts_with_these_settings_and_has_them_in_force() -> None:
    wanted = {name: value for name, value in settings().items() if name not in OF_THE_PLACE}
    with (
        EmbeddedKafka(properties=wanted) as broker,
        closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin,
    ):
        told = admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")], config_filter="all")

    in_force = told["broker"]["1"]
    assert {name: in_force[name]["value"] for name in wanted} == wanted  # of a name that Kafka does not know it is None
