from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.errors import ConfigError
from stream.telemetry import Telemetry
from stream.web.http import HttpServer
from stream.web.status import Part, Status

WELL = Status(idle=0.1, predicting=True, parts={"kafka": Part("ok"), "redis": Part("ok")})


class Worker:
    """What the server asks: a status that a test may change."""

    def __init__(self) -> None:
        self.now: Status | Exception = WELL

    def status(self) -> Status:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[HttpServer, Worker]]:
    worker = Worker()
    with HttpServer("127.0.0.1", 0, Telemetry("flights"), worker.status, stalled_after=30) as server:
        yield server, worker


@pytest.fixture
def worker(shared: tuple[HttpServer, Worker]) -> Worker:
    shared[1].now = WELL
    return shared[1]


@pytest.fixture
def server(shared: tuple[HttpServer, Worker], worker: Worker) -> HttpServer:
    return shared[0]


def ask(
    server: HttpServer, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def ask_raw(server: HttpServer, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_metrics_are_what_prometheus_reads(server: HttpServer) -> None:
    response, body = ask(server, "/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "driftline_records" in {family.name for family in text_string_to_metric_families(body.decode())}


def test_metrics_are_compressed_for_those_who_accept_it(server: HttpServer) -> None:
    response, body = ask(server, "/metrics", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert b"driftline_records_total" in gzip.decompress(body)


def test_a_loop_that_turns_is_healthy(server: HttpServer) -> None:
    response, body = ask(server, "/healthz")
    assert (response.status, json.loads(body)) == (200, {"alive": True, "idle_seconds": 0.1, "limit_seconds": 30})


def test_a_loop_that_is_stuck_is_not_healthy(server: HttpServer, worker: Worker) -> None:
    worker.now = WELL._replace(idle=31.0)
    response, body = ask(server, "/healthz")
    assert (response.status, json.loads(body)["alive"]) == (503, False)


def test_redis_down_is_told_and_still_ready(server: HttpServer, worker: Worker) -> None:
    reason = "Redis at 127.0.0.1:6379 refused the connection. Predictions go on with version 12; swaps wait."
    worker.now = WELL._replace(parts={"kafka": Part("ok"), "redis": Part("down", reason)})

    response, body = ask(server, "/readyz")

    assert response.status == 200
    assert json.loads(body) == {
        "ready": True,
        "state": "down",
        "parts": {"kafka": {"state": "ok"}, "redis": {"state": "down", "reason": reason}},
    }


def test_a_worker_that_cannot_predict_is_not_ready(server: HttpServer, worker: Worker) -> None:
    worker.now = Status(0.1, False, {"kafka": Part("degraded", "waiting for partitions"), "redis": Part("ok")})
    response, body = ask(server, "/readyz")
    answer: dict[str, Any] = json.loads(body)
    assert (response.status, answer["ready"], answer["state"]) == (503, False, "degraded")


def test_the_index_names_the_pages(server: HttpServer) -> None:
    response, body = ask(server, "/")
    assert response.status == 200
    assert all(page in body.decode() for page in ("/metrics", "/healthz", "/readyz"))


def test_head_gives_the_headers_of_get_and_no_body(server: HttpServer) -> None:
    response, body = ask(server, "/healthz", "HEAD")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


@pytest.mark.parametrize("path", ["/nothing", "/metrics/../../etc/passwd", "/healthz/"])
def test_any_other_path_is_not_found(server: HttpServer, path: str) -> None:
    response, body = ask(server, path)
    assert (response.status, body) == (404, b"404 There is /metrics, /healthz and /readyz.\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(server: HttpServer, method: str) -> None:
    response, body = ask(server, "/metrics", method)
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    assert body == b"405 Only GET and HEAD.\n"


def test_a_query_does_not_hide_a_page(server: HttpServer) -> None:
    response, _ = ask(server, "/healthz?verbose=1")
    assert response.status == 200


def test_a_fault_in_the_status_shows_nothing_of_the_inside(server: HttpServer, worker: Worker) -> None:
    worker.now = RuntimeError("password=hunter2")
    response, body = ask(server, "/readyz")
    assert (response.status, body) == (500, b"500 See the worker's log.\n")
    assert ask(server, "/metrics")[0].status == 200


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET / and more HTTP/1.1\r\n\r\n", 400),
    ],
    ids=["long line", "unknown method", "many headers", "too many words"],
)
def test_what_is_not_a_proper_request_is_refused_in_plain_text(
    server: HttpServer, request_bytes: bytes, code: int
) -> None:
    head, _, body = ask_raw(server, request_bytes).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {code} ".encode())
    assert b"Content-Type: text/plain" in head
    assert b"<" not in body
    assert b"Traceback" not in body


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/nothing"])
def test_every_answer_is_safe_to_look_at_in_a_browser(server: HttpServer, path: str) -> None:
    response, _ = ask(server, path)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Server"].strip() == "driftline"


def test_a_port_in_use_is_told_with_the_cure(server: HttpServer, worker: Worker) -> None:
    with pytest.raises(ConfigError) as caught:
        HttpServer("127.0.0.1", server.port, Telemetry("flights"), worker.status)
    assert f"http.port: {server.port} on 127.0.0.1 is in use by another program." in str(caught.value)
    assert "0 for a free one" in str(caught.value)


def test_an_address_of_another_machine_is_told_with_the_cure(worker: Worker) -> None:
    with pytest.raises(ConfigError, match=r"http\.host: cannot listen on 203\.0\.113\.1:0 .*\n.*0\.0\.0\.0"):
        HttpServer("203.0.113.1", 0, Telemetry("flights"), worker.status)


def test_the_port_is_free_again_after_a_stop(worker: Worker) -> None:
    first = HttpServer("127.0.0.1", 0, Telemetry("flights"), worker.status).start()
    first.stop()
    first.stop()
    with HttpServer("127.0.0.1", first.port, Telemetry("flights"), worker.status) as second:
        assert ask(second, "/healthz")[0].status == 200
