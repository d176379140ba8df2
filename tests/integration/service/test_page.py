"""The page of a service that runs, in a real browser: from an injected drift to the way back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

import httpx2
import pytest

from stream.embedded import EmbeddedValkey
from stream.web.access import sha256
from tests.integration.support.outside import Outside
from tests.integration.support.running import Process
from tests.integration.support.stage import Stage, event, label, x_of
from tests.integration.support.waiting import until
from tests.web.chromium import Browser

OVERRIDES: Final[dict[str, Any]] = {
    "http": {
        "auth": {
            "tokens": [{"name": f"the {role}", "role": role, "sha256": sha256(role)} for role in ("viewer", "operator")]
        }
    },
    "model": {"learner": {"kind": "logistic", "learning_rate": 0.05}},
    "detectors": {
        "concept": [{"kind": "ddm"}],
        "data": [{"kind": "chi_squared", "reference": 500, "window": 200, "every": 50}],
    },
    "adaptation": {"min_labels": 50},
    "labels": {"ttl": "7d", "max_pending": 50_000},
}
AT_ONCE, BEFORE, PAUSE = 50, 1000, 0.25
"""Events that are sent together, events before which nothing is to be found, seconds from one sending to the next."""

PATIENCE: Final = 50.0
"""Seconds that something is waited for which takes the service a while."""

TIMES: Final = "return document.querySelector('#throughput .plot')?.data?.[0].x ?? []"
MARKS: Final = """
    return [...document.querySelectorAll('#marks li')].filter((mark) => mark.textContent.includes(arguments[0])).length
"""
SHAPES: Final = "return document.querySelector('#scores-chart .plot')?.layout?.shapes.length ?? 0"


class Life:
    """A service and the stream that it lives on. Drifts are injected into the stream while it flows."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.sent = 0
        self.page = f"http://127.0.0.1:{stage.config.http.port}/"
        self._drifted = self._turned = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._flow, name="stream")
        self._service = Process(stage)

    def drift(self) -> None:
        """From now on there is only one kind where there were two. What the label is does not depend on it."""
        until(lambda: self.sent >= BEFORE, PATIENCE)
        self._drifted = True

    def turn_around(self) -> None:
        """From now on labels say the opposite."""
        until(lambda: self.sent >= BEFORE, PATIENCE)
        self._turned = True

    def restart(self) -> None:
        """The worker ends in order, and another one comes in its place."""
        assert self._service.terminate() == 0
        self._service.__exit__(None, None, None)
        self._service = Process(self.stage)
        self._service.wait_ready()

    def versions_from_now(self) -> set[int]:
        """Versions that made the next predictions."""
        already = len(self.stage.predictions())
        return {one["model_version"] for one in self.stage.predictions(at_least=already + 2 * AT_ONCE)[already:]}

    def _flow(self) -> None:
        while not self._end.wait(PAUSE):
            numbers = range(self.sent, self.sent + AT_ONCE)
            kinds = "bb" if self._drifted else "ab"
            self.stage.produce("events", [event(n, {"x": x_of(n), "kind": kinds[n % 2]}) for n in numbers])
            self.stage.produce("labels", [label(n, (x_of(n) > 0) != self._turned) for n in numbers])
            self.sent += AT_ONCE

    def __enter__(self) -> Self:
        self._service.wait_ready()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(30)
        self._service.__exit__(kind, error, trace)


@pytest.fixture(scope="module")
def life(outside: Outside, valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with Life(Stage(outside, valkey.url, tmp_path_factory.mktemp("life"), OVERRIDES)) as life:
        yield life


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(life: Life, chromium: Browser) -> Iterator[Browser]:
    with chromium.without_errors():
        yield chromium


def sign_in(browser: Browser, role: str) -> None:
    browser.says("#role", "viewer")  # what everybody is on this machine
    browser.press("#sign-in")
    browser.keys(role, "ENTER")
    browser.says("#role", role)
    browser.wait(lambda: not browser.all("#sign-in-box[open]"), "the dialog is closed")


def test_numbers_move(browser: Browser, life: Life) -> None:
    browser.open(life.page)
    browser.says("#connection", "live")
    predicted = "[data-tile=events] .said"
    before = browser.wait(lambda: browser.text(predicted), "a number")
    browser.wait(lambda: browser.text(predicted) != before, "another number", PATIENCE)
    rate = "[data-tile=events] .value"
    browser.wait(lambda: browser.text(rate)[:1] in tuple("123456789"), "events per second", PATIENCE)
    browser.see("throughput")
    points = browser.wait(lambda: len(browser.run(TIMES)), "points of the chart")
    browser.wait(lambda: len(browser.run(TIMES)) > points, "one more", PATIENCE)


def test_an_injected_drift_is_named_at_the_top_and_marked_on_the_chart(browser: Browser, life: Life) -> None:
    browser.open(life.page)
    browser.says("#headline", "no drift is open")
    browser.wait(lambda: browser.run("return document.querySelector('#scores-chart .plot')?.data"), "scores", PATIENCE)
    assert browser.run(MARKS, "kind") == 0
    before = browser.run(SHAPES)

    life.drift()

    browser.wait(lambda: "kind" in browser.text("#headline"), "the headline names it", PATIENCE)
    browser.says("#headline", "The share of kind", "since", "by chance")
    browser.wait(lambda: browser.run(MARKS, "The share of kind"), "its mark", PATIENCE)
    browser.wait(lambda: browser.run(SHAPES) > before, "its line on the chart", PATIENCE)


def test_the_feature_opens_with_what_it_was_like_and_is_now(browser: Browser, life: Life) -> None:
    life.drift()
    browser.open(life.page)
    browser.see("features")
    browser.wait(lambda: browser.all("[data-feature=kind]"), "its row", PATIENCE)
    browser.press("[data-feature=kind]")
    browser.says("#feature-title", "kind")
    shown = "return document.querySelector('#feature .plot')?.data?.map((bars) => bars.name) ?? []"
    browser.wait(lambda: set(browser.run(shown)) == {"reference", "now"}, "reference and now", PATIENCE)
    browser.says("#feature", "The share of kind")


def test_an_operator_rolls_back_and_new_predictions_are_of_the_version_before(browser: Browser, life: Life) -> None:
    browser.open(life.page)
    life.turn_around()
    sign_in(browser, "operator")
    browser.see("models")
    browser.wait(lambda: "version 2" in browser.text("#model-list .served"), "a challenger has taken over", PATIENCE)
    until(lambda: life.versions_from_now() == {2}, PATIENCE)

    browser.press("[data-key=rollback]")
    browser.says("#confirm", "Roll back to version 1?", "Version 2 stops serving; version 1 serves")
    browser.keys("it is worse for those who matter")
    browser.press("#confirm [type=submit]")

    browser.says("#toasts", "Version 1 serves now.")
    until(lambda: 1 in life.versions_from_now(), PATIENCE)
    browser.see("scores")
    browser.wait(lambda: browser.run(MARKS, "Version 2 was rolled back to version 1"), "its mark", PATIENCE)
    browser.see("audit")
    browser.says("#audit", "the operator", "it is worse for those who matter")


def test_a_viewer_is_refused_by_the_page_and_by_the_api(browser: Browser, life: Life) -> None:
    life.turn_around()
    browser.open(life.page)
    sign_in(browser, "viewer")
    browser.see("models")
    browser.wait(lambda: browser.all("[data-key=rollback]"), "two versions", PATIENCE)
    assert browser.find("[data-key=rollback]").get_attribute("aria-disabled") == "true"
    browser.press("[data-key=rollback]")
    assert browser.all("#confirm[open]") == []

    viewer = {"Authorization": "Bearer viewer"}
    refused = httpx2.post(f"{life.page}v1/models/rollback", json={"reason": "why not"}, headers=viewer, timeout=30)
    assert refused.status_code == 403
    assert "operator" in refused.json()["detail"]


def test_the_history_is_still_there_when_the_worker_was_restarted(browser: Browser, life: Life) -> None:
    life.drift()
    browser.open(life.page)
    browser.see("throughput")
    before = browser.wait(lambda: browser.run(TIMES), "the chart")
    browser.driver.get("about:blank")

    life.restart()

    browser.open(life.page)
    browser.see("throughput")
    after = browser.wait(lambda: browser.run(TIMES), "the chart")
    assert after[0] == before[0]
    browser.wait(lambda: browser.run(TIMES)[-1] > before[-1], "it goes on", PATIENCE)
    browser.see("scores")
    browser.wait(lambda: browser.run(MARKS, "The share of kind"), "the mark of the drift", PATIENCE)
