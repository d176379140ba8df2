"""What a service says of itself before it has met anybody."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from stream.embedded.ports import HOST, free_port
from stream.service import Service
from stream.testing import small_config


def test_a_service_that_starts_says_which_broker_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_SIGNING_KEY", "0123456789abcdef0123456789abcdef")
    broker, nobody = f"{HOST}:{free_port()}", f"{HOST}:{free_port()}"
    config = {"kafka": {"bootstrap_servers": broker}, "redis": {"url": f"redis://{nobody}/0"}, "http": {"port": 0}}
    service = Service(small_config(config))
    service.stop()

    with capture_logs() as said:
        service.run()

    first, *_, last = (line for line in said if line["event"] in ("starting", "started", "stopped"))
    assert first["event"] == "starting"
    assert first["waits_for"] == f"Kafka at {broker}"
    assert last["event"] == "stopped"
