"""Posts one alert to one webhook until it is taken, refused, given up, or the service stops."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from threading import Event as Flag

import httpx2
import structlog

from stream.config.secrets import secret
from stream.config.webhooks import WebhookConfig, address
from stream.core.alerts import severity_of
from stream.errors import ConfigError
from stream.records import Alert
from stream.telemetry import Telemetry
from stream.webhooks.bodies import body_for
from stream.webhooks.retrying import asked_for, pause, verdict
from stream.webhooks.signing import HEADER, signature

log = structlog.get_logger()

_SEVERITIES = ("info", "warning", "critical")


class Hook:
    """One webhook, as it is configured at `path`. Raises ConfigError when a secret of its is not there.

    Used by one thread. `headline` puts an alert into a sentence, `chance` gives numbers in [0, 1), `clock` seconds
    since the epoch; `wait` waits so many seconds and says whether the service stops.
    """

    def __init__(
        self,
        config: WebhookConfig,
        path: str,
        app: str,
        telemetry: Telemetry,
        stop: Flag,
        headline: Callable[[Alert], str],
        *,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
        wait: Callable[[float], bool] | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.config = config
        self._app = app
        self._url = url_of(config, path)
        self._secret = None if config.secret is None else secret(config.secret, f"{path}.secret")
        self._telemetry = telemetry
        self._chance = chance
        self._clock = clock
        self._wait = wait or stop.wait
        self._body = body_for(config.format)
        self._headline = headline
        self._client = httpx2.Client(
            timeout=config.timeout,
            follow_redirects=False,
            transport=transport,
            headers={"User-Agent": "driftline", "Content-Type": "application/json"},
        )
        telemetry.show_webhook(config.name)

    def wants(self, alert: Alert) -> bool:
        """Whether an alert is to be posted: by its kind, and by the severity of what it tells of."""
        kinds, least = self.config.kinds, self.config.severity
        enough = _SEVERITIES.index(severity_of(alert.kind)) >= _SEVERITIES.index(least)
        return enough and (kinds is None or alert.kind in kinds)

    def post(self, alert: Alert) -> bool:
        """Post an alert until it is taken or given up, which is logged and counted; False when the service stops before
        that. The body is the same at each attempt; the signature is of the time of the attempt.
        """
        body = self._body(alert, self._app, self._headline(alert), self._clock())
        why = ""
        for attempt in range(1, self.config.attempts + 1):
            said, why, asked = self._attempt(alert, body)
            if said == "delivered":
                self._count("delivered")
                return True
            if said == "refused":
                self._count("refused")
                log.error("webhook_refused", hook=self.config.name, alert=alert.id, why=why)
                return True
            if attempt < self.config.attempts:
                self._count("retried")
                seconds = pause(attempt, self._chance(), asked)
                log.warning("webhook_failed", hook=self.config.name, alert=alert.id, why=why, retry_s=round(seconds, 1))
                if self._wait(seconds):
                    return False
        self._count("given_up")
        log.error("webhook_given_up", hook=self.config.name, alert=alert.id, attempts=self.config.attempts, why=why)
        return True

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _attempt(self, alert: Alert, body: bytes) -> tuple[str, str, float | None]:
        """The verdict, why, and the seconds that the receiver asks us to wait."""
        headers = {"Idempotency-Key": alert.id}
        if self._secret is not None:
            headers[HEADER] = signature(self._secret, body, int(self._clock()))
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                status, asked = answer.status_code, asked_for(answer.headers.get("Retry-After"), self._clock())
        except httpx2.RequestError as error:  # of which the text may hold the address, which may be a secret
            return "retry", _in_words(error), None
        return verdict(status), f"HTTP status {status}", asked

    def _count(self, outcome: str) -> None:
        self._telemetry.add_webhook(self.config.name, outcome)


def _in_words(error: httpx2.RequestError) -> str:
    match error:
        case httpx2.ConnectTimeout() | httpx2.ConnectError():
            return "no connection"
        case httpx2.TimeoutException():
            return "no answer in time"
        case _:
            return "the connection broke"


def url_of(config: WebhookConfig, path: str) -> str:
    """Where to post. Raises ConfigError when that is a secret, and not there or no address."""
    if isinstance(config.url, str):
        return config.url
    try:
        return address(secret(config.url, f"{path}.url"))
    except ValueError as error:
        raise ConfigError(f"{path}.url: what is kept there is not an address; {error}.", "Keep it there.") from None
