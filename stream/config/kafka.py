"""The broker: where it is, how to log in, and how a worker talks to it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stream.config.fields import Brokers, Duration, Secret, Section, Words


class SaslConfig(Section):
    """How to log in to the broker."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field("SCRAM-SHA-512", description="SASL mechanism")
    username: str = Field(description="user name at the broker")
    password: Secret = Field(description="where the password is kept")


class TlsConfig(Section):
    """TLS towards the broker."""

    ca_file: str | None = Field(None, description="certificate authority to trust (PEM); the system's when left out")
    cert_file: str | None = Field(None, description="client certificate (PEM), where the broker asks for one")
    key_file: str | None = Field(None, description="key of the client certificate (PEM)")
    check_hostname: bool = Field(True, description="refuse a broker whose certificate names another host")


class KafkaConfig(Section):
    """The broker, and how the worker talks to it."""

    bootstrap_servers: Brokers = Field("localhost:9092", description="broker addresses, host:port, by commas")
    client: Literal["auto", "kafka-python", "confluent"] = Field(
        "auto", description="client library: confluent (extra `fast`) takes less CPU; auto takes it if it is installed"
    )
    instance: Annotated[str, Words("letters, digits, dots, underscores and hyphens, at most 200")] | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="name of this worker that outlives restarts and no other worker has, such as its pod's: then a "
        "restart takes its partitions back without a rebalance",
    )
    group: str | None = Field(None, description="consumer group; `driftline-{app}` when left out")
    tls: TlsConfig | None = Field(None, description="TLS towards the broker; left out: none")
    sasl: SaslConfig | None = Field(None, description="log-in at the broker; left out: none")
    max_poll_records: int = Field(2000, ge=1, le=100_000, description="most records taken in one poll")
    max_poll_interval: Duration = Field(300.0, ge=1, description="longest time between two polls before a rebalance")
    session_timeout: Duration = Field(45.0, ge=1, description="silence after which the broker takes a worker for dead")
    transaction_timeout: Duration = Field(
        10.0, ge=1, le=900, description="age at which the broker gives up a transaction that was left open"
    )
    start_from: Literal["earliest", "latest"] = Field("earliest", description="where a group with no offsets begins")
