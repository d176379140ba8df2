"""The server: what it promises whatever is asked of the application."""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client.parser import text_string_to_metric_families

from stream.config.web import HttpConfig
from stream.errors import ConfigError
from stream.web import server as served
from stream.web.server import Server
from stream.web.status import Part, Status
from tests.unit.web.support import WELL, World


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Server, World]]:
    world = World()
    with Server(world.app, HttpConfig(port=0)) as server:
        yield server, world


@pytest.fixture
def world(shared: tuple[Server, World]) -> World:
    shared[1].status = WELL
    return shared[1]


@pytest.fixture
def server(shared: tuple[Server, World], world: World) -> Server:
    return shared[0]


def ask(
    server: Server, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def ask_raw(server: Server, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_metrics_are_what_prometheus_reads(server: Server) -> None:
    response, body = ask(server, "/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "driftline_records" in {family.name for family in text_string_to_metric_families(body.decode())}


def test_metrics_are_compressed_for_those_who_accept_it(server: Server) -> None:
    response, body = ask(server, "/metrics", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert b"driftline_records_total" in gzip.decompress(body)


def test_a_loop_that_turns_is_healthy(server: Server) -> None:
    response, body = ask(server, "/healthz")
    assert (response.status, json.loads(body)) == (200, {"alive": True, "idle_seconds": 0.1, "limit_seconds": 60.0})


def test_a_loop_that_is_stuck_is_not_healthy(server: Server, world: World) -> None:
    world.status = WELL._replace(idle=61.0)
    response, body = ask(server, "/healthz")
    assert (response.status, json.loads(body)["alive"]) == (503, False)


def test_health_answers_while_everything_else_waits(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a Redis that hangs: every thread that may answer requests waits for it."""
    go_on = threading.Event()
    monkeypatch.setattr(world.history, "labels", lambda: go_on.wait(20))
    stuck = [threading.Thread(target=ask, args=(server, "/v1/labels"), daemon=True) for _ in range(60)]
    for thread in stuck:
        thread.start()
    try:
        began = time.monotonic()
        assert {ask(server, path)[0].status for path in ("/healthz", "/readyz", "/metrics")} == {200}
        assert time.monotonic() - began < 5
    finally:
        go_on.set()
        for thread in stuck:
            thread.join(10)


def test_redis_down_is_told_and_still_ready(server: Server, world: World) -> None:
    reason = "Redis at 127.0.0.1:6379 refused the connection. Predictions go on with version 12; swaps wait."
    world.status = WELL._replace(parts={"kafka": Part("ok"), "redis": Part("down", reason)})

    response, body = ask(server, "/readyz")

    assert response.status == 200
    assert json.loads(body) == {
        "ready": True,
        "state": "down",
        "parts": {"kafka": {"state": "ok"}, "redis": {"state": "down", "reason": reason}},
    }


def test_a_worker_that_cannot_predict_is_not_ready(server: Server, world: World) -> None:
    world.status = Status(0.1, False, {"kafka": Part("degraded", "waiting for partitions"), "redis": Part("ok")})
    response, body = ask(server, "/readyz")
    assert (response.status, json.loads(body)["ready"], json.loads(body)["state"]) == (503, False, "degraded")


def test_head_gives_the_headers_of_get_and_no_body(server: Server) -> None:
    response, body = ask(server, "/healthz", "HEAD")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET / and more HTTP/1.1\r\n\r\n",
        b"POST /v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
        b"POST /v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
    ],
    ids=["long line", "many headers", "too many words", "no length", "two lengths"],
)
def test_what_is_not_a_proper_request_is_refused_in_plain_text(server: Server, request_bytes: bytes) -> None:
    try:
        head, _, body = ask_raw(server, request_bytes).partition(b"\r\n\r\n")
    except ConnectionResetError:  # closed before all of it was sent
        return
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: text/plain" in head
    assert b"<" not in body
    assert b"Traceback" not in body


def test_a_body_that_is_too_long_is_refused_before_it_comes(server: Server) -> None:
    head = b"POST /v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert ask_raw(server, head + b"Content-Length: 9999999\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_who_asks_for_nothing_is_sent_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "HEAD_SECONDS", 0.2)
    with (
        Server(world.app, HttpConfig(port=0)) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection,
    ):
        connection.sendall(b"GET / HT")
        assert connection.recv(1) == b""


def test_requests_are_no_news(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(server, "/healthz")
        ask_raw(server, b"nonsense\r\n\r\n")
    assert caplog.records == []


def test_a_port_in_use_is_told_with_the_cure(server: Server, world: World) -> None:
    with pytest.raises(ConfigError) as caught:
        Server(world.app, HttpConfig(port=server.port))
    assert f"http.port: {server.port} on 127.0.0.1 is in use by another program." in str(caught.value)
    assert "0 for a free one" in str(caught.value)


def test_an_address_of_another_machine_is_told_with_the_cure(world: World) -> None:
    with pytest.raises(ConfigError, match=r"http\.host: cannot listen on 203\.0\.113\.1:0 .*\n.*0\.0\.0\.0"):
        Server(world.app, HttpConfig(host="203.0.113.1", port=0))


def test_the_port_is_free_again_after_a_stop(world: World) -> None:
    first = Server(world.app, HttpConfig(port=0)).start()
    first.stop()
    first.stop()
    with Server(world.app, HttpConfig(port=first.port)) as second:
        assert ask(second, "/healthz")[0].status == 200


def test_a_stop_does_not_wait_for_pages_that_are_open() -> None:
    world = World()
    server = Server(world.app, HttpConfig(port=0)).start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as page:
        page.sendall(b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"text/event-stream" in page.recv(4096)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 4
    assert not world.feeds.running
    assert world.trail.closed


def test_a_server_that_never_started_can_be_stopped(world: World) -> None:
    Server(world.app, HttpConfig(port=0)).stop()


@pytest.mark.parametrize(("host", "named"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "localhost"), ("::1", "[::1]")])
def test_it_says_where_the_page_is(world: World, host: str, named: str) -> None:
    server = Server(world.app, HttpConfig(host=host, port=0))
    assert server.url == f"http://{named}:{server.port}/"
    server.stop()


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A certificate of localhost, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return {"cert_file": str(folder / "cert.pem"), "key_file": str(folder / "key.pem")}


def test_tls_is_spoken_where_there_is_a_certificate(world: World, certificate: dict[str, str]) -> None:
    with Server(world.app, HttpConfig.model_validate({"port": 0, "tls": certificate})) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=certificate["cert_file"])
        connection = http.client.HTTPSConnection("localhost", server.port, timeout=10, context=context)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["alive"]) == (200, True)
        connection.close()


def test_a_certificate_that_cannot_be_used_is_told_at_once(
    world: World, certificate: dict[str, str], tmp_path: Path
) -> None:
    missing = HttpConfig.model_validate({"port": 0, "tls": certificate | {"key_file": str(tmp_path / "none.pem")}})
    with pytest.raises(ConfigError, match=r"http\.tls\.key_file: .*none\.pem cannot be read"):
        Server(world.app, missing)
    swapped = {"cert_file": certificate["key_file"], "key_file": certificate["cert_file"]}
    with pytest.raises(ConfigError, match=r"http\.tls: .* are no certificate and its key"):
        Server(world.app, HttpConfig.model_validate({"port": 0, "tls": swapped}))
