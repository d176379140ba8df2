"""Broker and Redis in a box: both embedded servers, started side by side."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.started import Started
from stream.embedded.valkey import EmbeddedValkey


class Box(Started):
    """An `EmbeddedKafka` in `data_dir`/kafka and an `EmbeddedValkey` in `data_dir`/valkey, or both in temporary ones.

    `console` shows the progress of a first use (see `EmbeddedKafka`).
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        kafka_port: int | None = None,
        redis_port: int | None = None,
        console: Console | None = None,
    ) -> None:
        self.kafka = EmbeddedKafka(data_dir and data_dir / "kafka", kafka_port, console=console)
        self.valkey = EmbeddedValkey(data_dir and data_dir / "valkey", redis_port)

    @property
    def bootstrap_servers(self) -> str:
        return self.kafka.bootstrap_servers

    @property
    def redis_url(self) -> str:
        return self.valkey.url

    @property
    def running(self) -> bool:
        """Whether both are."""
        return self.kafka.running and self.valkey.running

    def start(self) -> None:
        """Start both and wait until both answer. Raises an `EmbeddedError`; then neither is left running."""
        try:
            self.valkey.launch()
            self.kafka.launch()
            self.valkey.wait_ready()
            self.kafka.wait_ready()
        except BaseException:
            self.kill()
            self.close()
            raise

    def stop(self) -> None:
        """Stop both in order; data and ports are kept for the next start."""
        self.kafka.stop()
        self.valkey.stop()

    def kill(self) -> None:
        """End both at once, as a crash would."""
        self.kafka.kill()
        self.valkey.kill()

    def close(self) -> None:
        """Stop both and remove what is temporary."""
        self.kafka.close()
        self.valkey.close()
