"""What is let through to the API, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from tests.unit.web.support import World

WHY = {"reason": "a test"}
ELSEWHERE = {"host": "0.0.0.0"}
FAR = "http://driftline.example:8080"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def operator(world: World) -> TestClient:
    return world.client("operator")


def detail(answer: Any) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    return str(body["detail"])


# who


def test_on_loopback_whoever_has_no_token_is_everybody(world: World) -> None:
    assert world.client().get("/v1/me").json() == {
        "name": "anybody on this machine",
        "role": "viewer",
        "loopback": True,
    }


def test_on_loopback_a_token_of_less_does_not_take_away_what_everybody_may() -> None:
    assert World(everybody="operator").client("viewer").get("/v1/me").json()["role"] == "operator"


def test_on_loopback_everybody_may_nothing_where_it_says_so() -> None:
    answer = World(everybody=None).client().get("/v1/me")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert detail(answer) == "A token is needed."


@pytest.mark.parametrize("header", ["forwarded", "x-forwarded-for", "x-real-ip"])
def test_what_a_proxy_passes_on_to_loopback_needs_a_token(world: World, header: str) -> None:
    assert world.client().get("/v1/me", headers={header: "203.0.113.9"}).status_code == 401
    assert world.client("viewer").get("/v1/me", headers={header: "203.0.113.9"}).status_code == 200


def test_on_any_other_address_a_token_is_always_needed() -> None:
    world = World(ELSEWHERE, everybody="admin")
    assert world.client(url=FAR).get("/v1/me").status_code == 401
    assert world.client("viewer", url=FAR).get("/v1/me").json()["role"] == "viewer"


def test_on_any_other_address_it_does_not_help_to_call_it_localhost() -> None:
    world = World(ELSEWHERE, everybody="admin")
    assert world.client(ip="203.0.113.9").get("/v1/me").status_code == 401
    assert world.client("viewer", ip="203.0.113.9").get("/v1/me").json()["role"] == "viewer"


@pytest.mark.parametrize(
    "sent", ["Bearer wrong", "Bearer ", "Bearer", "Basic c2VlOnNlZQ==", "Basic see", "see", "Bearer a.b.c"]
)
def test_a_token_that_is_not_known_is_refused_on_loopback_too(world: World, sent: str) -> None:
    answer = world.client().get("/v1/me", headers={"Authorization": sent})
    assert answer.status_code == 401
    assert "see" not in detail(answer)


@pytest.mark.parametrize("path", ["/v1/me", "/v1/nothing", "/v1/pause"])
def test_without_a_token_nothing_is_read_or_told(path: str) -> None:
    client = World(ELSEWHERE).client(url=FAR)
    assert client.post(path, content=b"x" * 500_000).status_code == 401


# what they may

CHANGES = ["/v1/pause", "/v1/resume", "/v1/models/rollback", "/v1/models/1/promote"]
READS = [
    *("/v1/me", "/v1/config", "/v1/overview", "/v1/series", "/v1/drift"),
    *("/v1/features/x", "/v1/labels", "/v1/workers"),
]


@pytest.mark.parametrize("path", READS)
def test_a_viewer_sees(world: World, path: str) -> None:
    assert world.client("viewer").get(path).status_code == 200


@pytest.mark.parametrize("path", CHANGES)
def test_a_viewer_changes_nothing(world: World, path: str) -> None:
    answer = world.client("viewer").post(path, json=WHY)
    assert (answer.status_code, world.trail.entries) == (403, [])
    assert detail(answer) == "This needs the role operator; the viewer has the role viewer."


def test_an_operator_changes(world: World, operator: TestClient) -> None:
    assert operator.post("/v1/pause", json=WHY).status_code == 200
    assert world.store.control.now().pause is not None


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_an_admin_brings_in_models(world: World, role: str) -> None:
    octets = {"Content-Type": "application/octet-stream"}
    answer = world.client(role).post("/v1/models?reason=x", content=b"x", headers=octets)
    assert answer.status_code == 403
    assert "needs the role admin" in detail(answer)


# from where


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.9.9.9", "localhost", "LOCALHOST:1", "[::1]:8080"])
def test_loopback_is_known_by_its_own_names(world: World, host: str) -> None:
    assert world.client().get("/v1/me", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "10.0.0.1", ""]
)
def test_a_name_that_was_made_to_lead_here_is_refused(world: World, host: str) -> None:
    for path in ("/v1/me", "/", "/docs"):
        assert world.client("admin").get(path, headers={"Host": host}).status_code == 421


def test_elsewhere_only_the_names_of_the_configuration_count() -> None:
    world = World({**ELSEWHERE, "names": ["driftline.example"]})
    assert world.client("viewer", url=FAR).get("/v1/me").status_code == 200
    assert world.client("viewer", url="http://other.example").get("/v1/me").status_code == 421


def test_a_proxy_on_this_machine_passes_on_requests_for_its_names_and_these_need_a_token() -> None:
    world = World({"names": ["Driftline.example"]}, everybody="admin")
    named = {"Host": "driftline.example", "Origin": "https://driftline.example"}
    assert world.client().get("/", headers=named).status_code == 200
    assert world.client().post("/v1/pause", json=WHY, headers=named).status_code == 401
    assert world.client("operator").post("/v1/pause", json=WHY, headers=named).status_code == 200
    assert world.client().get("/v1/me").json()["role"] == "admin"


@pytest.mark.parametrize("host", ["evil.example", "10.2.3.4:8080"])
def test_health_answers_by_any_name(world: World, host: str) -> None:
    for path in ("/metrics", "/healthz", "/readyz"):
        assert world.client().get(path, headers={"Host": host}).status_code == 200
        assert world.client().post(path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:8081", "http://127.0.0.1"])
def test_a_page_from_elsewhere_changes_nothing(world: World, operator: TestClient, origin: str) -> None:
    assert operator.post("/v1/pause", json=WHY, headers={"Origin": origin}).status_code == 403
    assert world.trail.entries == []


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "https://127.0.0.1:8080"])
def test_our_own_page_does_behind_a_proxy_that_speaks_tls_too(operator: TestClient, origin: str) -> None:
    assert operator.post("/v1/pause", json=WHY, headers={"Origin": origin}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_could_send_changes_nothing(world: World, operator: TestClient, kind: str) -> None:
    answer = operator.post("/v1/pause", content=b'{"reason": "x"}', headers={"Content-Type": kind})
    assert (answer.status_code, world.trail.entries) == (415, [])


def test_what_comes_in_chunks_says_what_it_is(operator: TestClient) -> None:
    assert operator.post("/v1/pause", content=iter([b'{"reason": "x"}'])).status_code == 415


@pytest.mark.parametrize("kind", ["text/plain", "application/json", ""])
def test_what_a_form_could_send_is_no_model(world: World, kind: str) -> None:
    answer = world.client("admin").post("/v1/models?reason=x", content=b"x", headers={"Content-Type": kind})
    assert (answer.status_code, world.trail.entries) == (415, [])


def test_no_answer_lets_other_pages_read_it(operator: TestClient) -> None:
    answer = operator.get("/v1/me", headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


# how much


def test_who_asks_too_often_is_told_to_wait(world: World) -> None:
    client = World({"limits": {"requests": 5}}).client("viewer")
    answers = [client.get("/v1/me") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_changes_are_counted_by_themselves() -> None:
    client = World({"limits": {"changes": 2}}).client("operator")
    codes = [client.post(f"/v1/{what}", json=WHY).status_code for what in ("pause", "resume", "pause")]
    assert codes == [200, 200, 429]
    assert client.get("/v1/me").status_code == 200


def test_each_token_and_each_address_has_a_count_of_its_own() -> None:
    world = World({"limits": {"requests": 1}})
    for client in (world.client("viewer"), world.client("operator"), world.client(), world.client(ip="127.0.0.2")):
        assert [client.get("/v1/me").status_code for _ in range(2)] == [200, 429]


def test_guesses_at_tokens_count_for_their_address() -> None:
    client = World({**ELSEWHERE, "limits": {"requests": 3}}).client(url=FAR)
    codes = [client.get("/v1/me", headers={"Authorization": f"Bearer guess{n}"}).status_code for n in range(5)]
    assert codes == [401, 401, 401, 429, 429]


def test_health_is_not_limited() -> None:
    client = World({"limits": {"requests": 1}}).client()
    assert {client.get(path).status_code for path in ("/healthz", "/metrics") for _ in range(5)} == {200}


def test_a_body_that_says_it_is_too_long_is_refused(world: World) -> None:
    client = World({"limits": {"body": 1024}}).client("operator")
    answer = client.post("/v1/pause", json={"reason": "x" * 1024})
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert detail(answer) == "The body is longer than 1,024 bytes."


@pytest.mark.parametrize("length", ["-1", "many", "1e3", "+3"])
def test_a_body_whose_length_is_no_number_is_refused(operator: TestClient, length: str) -> None:
    assert operator.post("/v1/pause", json=WHY, headers={"Content-Length": length}).status_code == 413


def test_a_body_in_chunks_is_refused_where_it_becomes_too_long(world: World) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b" " * 512

    client = World({"limits": {"body": 1024}}).client("operator")
    answer = client.post("/v1/pause", content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert client.post("/v1/pause", json=WHY).status_code == 200


def test_models_may_be_longer_than_other_bodies() -> None:
    client = World({"limits": {"body": 1024, "model_body": 2048}}).client("operator")
    octets = {"Content-Type": "application/octet-stream"}
    assert client.post("/v1/models?reason=x", content=b"x" * 2048, headers=octets).status_code == 403
    assert client.post("/v1/models?reason=x", content=b"x" * 2049, headers=octets).status_code == 413


# what every answer says


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/nothing", "/v1/me", "/v1/nothing", "/docs"])
def test_every_answer_is_safe_to_look_at_in_a_browser(world: World, path: str) -> None:
    headers = world.client().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["server"] == "driftline"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self'" if path in ("/", "/docs") else "default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert path == "/" or headers["cache-control"] == "no-store"


def test_refusals_are_as_safe(world: World) -> None:
    assert world.client().get("/", headers={"Host": "evil.example"}).headers["x-content-type-options"] == "nosniff"


def test_browsers_are_told_to_stay_with_tls(world: World, tmp_path: Any) -> None:
    secure = World({"tls": {"cert_file": str(tmp_path / "c"), "key_file": str(tmp_path / "k")}})
    assert "strict-transport-security" in secure.client().get("/").headers
    assert "strict-transport-security" not in world.client().get("/").headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    ("path", "allowed"), [("/metrics", "GET, HEAD"), ("/v1/me", "GET, HEAD"), ("/v1/pause", "POST")]
)
def test_methods_that_an_address_does_not_take_are_refused(
    operator: TestClient, method: str, path: str, allowed: str
) -> None:
    answer = operator.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_head_gives_the_headers_of_get(operator: TestClient) -> None:
    assert operator.head("/v1/me").status_code == 200
    assert operator.head("/v1/live").status_code == 405


@pytest.mark.parametrize("path", ["/nothing", "/metrics/../../etc/passwd", "/healthz/", "/static/../app.py", "/v2/me"])
def test_any_other_path_is_not_found(operator: TestClient, path: str) -> None:
    answer = operator.get(path)
    assert answer.status_code == 404
    assert "/docs" in answer.json()["cure"]


def test_a_fault_shows_nothing_of_the_inside(world: World) -> None:
    world.status = RuntimeError("password=hunter2")
    answer = world.client().get("/readyz")
    assert (answer.status_code, detail(answer)) == (500, "A fault of Driftline. Its log tells more.")
    assert "hunter2" not in answer.text
    assert world.client().get("/metrics").status_code == 200


def test_a_fault_is_logged_without_the_passwords_of_addresses(world: World) -> None:
    world.status = RuntimeError("no answer from redis://anna:hunter2@redis:6379/0")
    with capture_logs() as said:
        world.client().get("/readyz")
    (line,) = [line for line in said if line["event"] == "http_failed"]
    assert "redis://***@redis:6379/0" in line["exception"]
    assert "hunter2" not in str(line)
