"""Every address of the API, asked all sorts of things: it answers as its OpenAPI says, and never with a fault.

The service is a real one, with a worker. Requests are made up from the OpenAPI by Schemathesis, the same each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from stream.embedded import EmbeddedValkey
from stream.web.access import sha256
from tests.integration.support.outside import Outside
from tests.integration.support.running import InThread
from tests.integration.support.stage import Stage, event, label
from tests.unit.web.support import World

EXAMPLES = 8
ADMIN = {"Authorization": "Bearer admin"}
"""Who may do everything."""
HTTP = {
    "auth": {"tokens": [{"name": "an admin", "role": "admin", "sha256": sha256("admin")}], "everybody": None},
    "limits": {"requests": 1_000_000, "changes": 1_000_000},
}
CONFIG = {
    "headers": ADMIN,
    "request-timeout": 60,  # a model is tried out in a process of its own, which on a busy machine takes its time
    "generation": {"deterministic": True, "max-examples": EXAMPLES},
    # What is away is told, and that is no fault: 503 and 504 stand in the OpenAPI where they can come.
    "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "4xx", 503, 504]}},
}

schema = schemathesis.openapi.from_dict(
    World().client().get("/openapi.json").json(), config=SchemathesisConfig.from_dict(CONFIG)
).exclude(path="/v1/live")  # which does not end; what it sends is tested where it is read


@pytest.fixture(scope="module")
def address(outside: Outside, valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service is that has predicted, learned and been told of labels."""
    stage = Stage(outside, valkey.url, tmp_path_factory.mktemp("api"), {"http": HTTP})
    stage.produce("events", [event(n) for n in range(200)])
    stage.produce("labels", [label(n) for n in range(200)])
    with InThread(stage):
        stage.predictions(at_least=200)
        yield f"http://127.0.0.1:{stage.config.http.port}"


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
def test_every_address_answers_as_the_openapi_says(case: Case[Any], address: str) -> None:
    # Bytes that are no model are refused, and cursors that are nobody's: no OpenAPI can say which those are.
    looks_valid = (case.method == "POST" and case.path == "/v1/models") or "cursor" in (case.query or {})
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance] if looks_valid else [])
    if case.path == "/v1/pause":
        # A service that pauses would predict nothing for whoever asks next.
        httpx2.post(f"{address}/v1/resume", json={"reason": "go on"}, headers=ADMIN)
