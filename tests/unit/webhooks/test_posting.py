from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Event as Flag
from typing import Any, get_args

import httpx2
import pytest

from stream.config.fields import Secret
from stream.config.webhooks import AlertKind, WebhookConfig
from stream.errors import ConfigError
from stream.telemetry import ALERT_KINDS, Telemetry
from stream.webhooks.posting import Hook
from stream.webhooks.retrying import asked_for, pause, verdict
from stream.webhooks.signing import HEADER
from tests.unit.webhooks.alerts import NOW, drift, ended, swap

URL = "https://example.test/hook"


class Receiver:
    """Answers with these status codes (or raises these errors) in turn, the last of them again and again."""

    def __init__(self, *answers: int | httpx2.Response | type[httpx2.RequestError]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, type):
            raise answer("it broke at https://example.test/secret")
        return httpx2.Response(answer) if isinstance(answer, int) else answer


class World:
    """A hook, what it counted, and how long it waited."""

    def __init__(self, receiver: Receiver, config: dict[str, Any], stops: Callable[[], bool]) -> None:
        self.telemetry = Telemetry("small")
        self.waited: list[float] = []

        def wait(seconds: float) -> bool:
            self.waited.append(seconds)
            return stops()

        self.hook = Hook(
            WebhookConfig.model_validate({"name": "oncall", "url": URL, **config}),
            "webhooks[0]",
            "shop",
            self.telemetry,
            Flag(),
            lambda alert: "The errors rose.",
            chance=lambda: 0.5,
            clock=lambda: NOW,
            wait=wait,
            transport=httpx2.MockTransport(receiver),
        )

    def counted(self) -> dict[str, int]:
        """Attempts by how they ended, but for those of which there were none."""
        shown = self.telemetry.render()[0].decode().splitlines()
        lines = [line for line in shown if line.startswith("driftline_webhook_deliveries_total{")]
        counts = {line.split('outcome="')[1].split('"')[0]: int(float(line.split()[-1])) for line in lines}
        assert set(counts) == {"delivered", "retried", "refused", "given_up"}
        return {outcome: n for outcome, n in counts.items() if n}


@contextmanager
def world(receiver: Receiver, stops: Callable[[], bool] = lambda: False, **config: Any) -> Iterator[World]:
    made = World(receiver, config, stops)
    with closing(made.hook):
        yield made


def test_an_alert_that_is_taken_is_posted_once_with_its_id() -> None:
    receiver = Receiver(200)
    with world(receiver) as here:
        assert here.hook.post(drift())

    (request,) = receiver.requests
    assert (request.method, str(request.url)) == ("POST", URL)
    assert request.headers["Idempotency-Key"] == drift().id
    assert request.headers["Content-Type"] == "application/json"
    assert HEADER not in request.headers
    assert here.counted() == {"delivered": 1}


def test_a_receiver_that_fails_twice_gets_the_same_alert_again_and_later_each_time() -> None:
    receiver = Receiver(500, httpx2.ConnectError, 204)
    with world(receiver) as here:
        assert here.hook.post(drift())

    assert len({(request.content, request.headers["Idempotency-Key"]) for request in receiver.requests}) == 1
    assert here.waited == [0.75, 1.5]
    assert here.counted() == {"retried": 2, "delivered": 1}


def test_an_alert_that_nobody_takes_is_given_up() -> None:
    receiver = Receiver(503)
    with world(receiver, attempts=3) as here:
        assert here.hook.post(drift())

    assert len(receiver.requests) == 3
    assert here.counted() == {"retried": 2, "given_up": 1}


@pytest.mark.parametrize("status", [301, 302, 308, 400, 401, 403, 404, 410, 422])
def test_an_answer_that_will_not_change_is_not_tried_again(status: int) -> None:
    receiver = Receiver(httpx2.Response(status, headers={"Location": "https://elsewhere.test/"}))
    with world(receiver) as here:
        assert here.hook.post(drift())

    assert [str(request.url) for request in receiver.requests] == [URL]
    assert here.counted() == {"refused": 1}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_answer_that_may_change_is_tried_again(status: int) -> None:
    assert verdict(status) == "retry"


def test_a_receiver_says_when_to_come_again() -> None:
    receiver = Receiver(httpx2.Response(429, headers={"Retry-After": "30"}), 200)
    with world(receiver) as here:
        here.hook.post(drift())

    assert here.waited == [30.0]


def test_a_service_that_stops_leaves_the_alert_to_whoever_comes_next() -> None:
    receiver = Receiver(500)
    with world(receiver, stops=lambda: True) as here:
        assert not here.hook.post(drift())

    assert len(receiver.requests) == 1


def test_pauses_double_to_a_minute_and_are_spread_over_their_second_half() -> None:
    assert [pause(failures, 0.0) for failures in (1, 2, 3, 7, 20)] == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert pause(7, 1.0) == 60.0
    assert pause(1, 0.0, asked=1e9) == 600.0


def test_a_date_to_come_again_at_is_understood_and_nonsense_is_not() -> None:
    assert asked_for("Tue, 14 Nov 2023 23:14:20 GMT", NOW) == 60.0
    assert asked_for("Tue, 14 Nov 2000 23:14:20 GMT", NOW) == 0.0
    assert asked_for("soon", NOW) is None
    assert asked_for(None, NOW) is None


def test_a_signed_request_can_be_verified_by_who_has_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "of both")
    receiver = Receiver(200)
    with world(receiver, secret={"env": "HOOK_SECRET"}) as here:
        here.hook.post(drift())

    (request,) = receiver.requests
    at, _, digest = request.headers[HEADER].removeprefix("t=").partition(",v1=")
    signed = hmac.new(b"of both", at.encode() + b"." + request.content, hashlib.sha256).hexdigest()
    assert (int(at), digest) == (int(NOW), signed)


def test_an_address_may_be_kept_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_URL", "https://example.test/secret")
    receiver = Receiver(200)
    with world(receiver, url={"env": "HOOK_URL"}) as here:
        here.hook.post(drift())

    assert str(receiver.requests[0].url) == "https://example.test/secret"


def test_what_is_kept_elsewhere_and_is_no_address_is_refused_unshown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_URL", "hunter2")
    with pytest.raises(ConfigError, match=r"webhooks\[0\].url: what is kept there is not an address") as raised:
        World(Receiver(200), {"url": {"env": "HOOK_URL"}}, lambda: False)
    assert "hunter2" not in str(raised.value)


def test_no_log_line_has_the_address(capsys: pytest.CaptureFixture[str]) -> None:
    from stream.log import configure

    configure("json")
    with world(Receiver(httpx2.ConnectError, 404), url="https://example.test/secret") as here:
        here.hook.post(drift())

    written = capsys.readouterr().err
    assert "webhook_failed" in written
    assert "webhook_refused" in written
    assert "secret" not in written


def test_only_kinds_that_are_named_are_wanted() -> None:
    with world(Receiver(200), kinds=["concept_drift"]) as here:
        assert here.hook.wants(drift())
        assert not here.hook.wants(swap())


def test_the_end_of_a_drift_is_wanted_where_the_drift_was() -> None:
    with world(Receiver(200), severity="critical") as here:
        assert here.hook.wants(drift())
        assert here.hook.wants(ended())
        assert not here.hook.wants(swap())
        assert not here.hook.wants(drift(kind="data_drift", severity="warning"))


def test_every_kind_of_alert_can_be_named() -> None:
    assert set(get_args(AlertKind)) == set(ALERT_KINDS)


def test_a_secret_is_named_by_where_it_is_kept() -> None:
    config = WebhookConfig.model_validate({"name": "oncall", "url": {"env": "HOOK_URL"}})

    assert config.url == Secret(env="HOOK_URL", file=None)
