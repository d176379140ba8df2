"""What the page says when something is away, missing, or has not come yet: never that all is well."""

from __future__ import annotations

from typing import Final

import pytest

from tests.web.chromium import Browser
from tests.web.conftest import Start
from tests.web.fixture import Fixture
from tests.web.week import END, Json

GREEN: Final = "#now .dot.ok"
OF_REDIS: Final = {"/v1/overview", "/v1/series", "/v1/drift", "/v1/models", "/v1/labels", "/v1/workers"}
NO_WORKER: Final = {
    "health": {"state": "down", "parts": {"workers": {"state": "down", "reason": "no worker was seen lately"}}}
}
SILENT: Final = """
    const done = arguments[0];
    import('/static/js/state.js').then(({state}) => { state.pointAt = Date.now() - 30000; done(); });
"""
"""As if no point had come for half a minute."""


def calm(serve: Start, states: str = "stable", **how: float) -> Fixture:
    """A service without a drift, whose detectors all are in this state."""
    service = serve(**how)
    service.alerts.clear()
    service.states = states
    return service


def test_that_no_drift_is_open_is_green_while_all_is_calm(browser: Browser, serve: Start) -> None:
    browser.open(calm(serve).url)
    browser.says("#headline", "Version 4 serves; no drift is open.")
    browser.find(GREEN)
    browser.wait(lambda: browser.attribute("[data-tile=alerts]", "data-tone") == "good", "the number, too")


@pytest.mark.parametrize(
    ("states", "said"),
    [("warning", "13 detectors warn: errors (ADWIN)"), ("drift", "amount (KS test, drift)"), ("warmup", "still learn")],
)
def test_it_is_not_green_while_detectors_are_not_calm(browser: Browser, serve: Start, states: str, said: str) -> None:
    browser.open(calm(serve, states).url)
    browser.says("#now", "no drift is open", said)
    assert browser.all(GREEN) == []


def test_it_is_not_green_while_no_worker_is_at_work(browser: Browser, serve: Start) -> None:
    service = calm(serve)
    service.told["/v1/overview"] = NO_WORKER
    browser.open(service.url)
    browser.says("#headline", "whether a drift is open is not known")
    browser.says("#ill", "No worker is at work; the last one was heard of", "records wait on their topics")
    assert browser.all(GREEN) == []
    assert browser.text("[data-tile=events] .value") == "\u2013", "what it was at last is not what it is"


def test_while_redis_is_away_what_is_old_is_said_with_since_when_and_it_heals(browser: Browser, serve: Start) -> None:
    service = calm(serve)
    browser.open(service.url)
    browser.says("#health", "healthy")
    browser.find(GREEN)

    service.away |= OF_REDIS
    browser.says("#stale", "Redis at 10.0.0.5:6379 gave no answer in time.", "he newest numbers", "as of ")
    browser.says("#health", "health not known")
    assert browser.attribute("#health", "class") == "chip"
    browser.wait(lambda: browser.all(GREEN) == [], "it is not green")
    browser.says("[data-tile=alerts] .said", "there may be more")

    service.away.clear()
    browser.wait(lambda: browser.all("#stale") == [], "the banner is gone")
    browser.says("#health", "healthy")
    browser.find(GREEN)
    assert all("503" in one for one in browser.logged())


def test_a_page_that_is_opened_while_redis_is_away_says_what_it_cannot_show(browser: Browser, serve: Start) -> None:
    service = serve()
    service.away |= OF_REDIS
    browser.open(service.url)
    browser.says("#stale", "Redis", "cannot be shown")
    browser.says("#headline", "amount")  # alerts come by Kafka
    assert all("503" in one for one in browser.logged())


def test_a_service_without_a_history_is_not_said_to_have_no_drift(browser: Browser, serve: Start) -> None:
    service = calm(serve)
    service.away |= OF_REDIS - {"/v1/models"}
    service.why_away = "No history is kept (history: null): only alerts are known."
    browser.open(service.url)
    browser.says("#headline", "whether a drift is open is not known.")
    browser.says("#now", "No history is kept (history: null): only alerts are known.")
    assert browser.all(GREEN) == []
    assert all("503" in one for one in browser.logged())


def test_an_answer_that_breaks_off_is_none(browser: Browser, serve: Start) -> None:
    service = serve()
    service.broken.add("/v1/workers")
    browser.open(service.url)
    browser.says("#stale", "The service cannot be reached. Workers cannot be shown")
    service.broken.clear()
    browser.see("workers")
    browser.wait(lambda: browser.all("#stale") == [], "it was asked for again")
    assert all("/v1/workers" in one for one in browser.logged())


def test_that_nothing_new_comes_is_said(browser: Browser, serve: Start) -> None:
    service = calm(serve, tick=3600)
    browser.open(service.url)
    browser.says("#connection", "live")
    browser.find(GREEN)
    browser.driver.execute_async_script(SILENT)
    browser.says("#connection", "nothing new since")
    browser.says("#now", "Workers have told nothing since")
    assert browser.all(GREEN) == []
    service.points += 1
    service.tell("point", service.point())
    browser.says("#connection", "live")
    browser.find(GREEN)


def test_what_is_wrong_with_workers_is_said_without_a_look_at_the_chip(browser: Browser, serve: Start) -> None:
    service = serve()
    parts = {"kafka": {"state": "down", "reason": "the broker does not answer"}}
    service.told["/v1/overview"] = {"health": {"state": "down", "parts": parts}}
    browser.open(service.url)
    browser.says("#ill", "Down: kafka: the broker does not answer")


def test_with_a_token_that_counts_no_more_what_is_old_is_said_and_it_is_asked_for_once(
    browser: Browser, serve: Start
) -> None:
    service = calm(serve)
    browser.open(service.url)
    browser.find(GREEN)
    service.role = None
    browser.says("#sign-in-box[open]", "A token is needed")
    browser.keys("ESCAPE")
    browser.says("#locked", "Not signed in since", "What you see is from before")
    browser.says("#connection", "not signed in")
    assert browser.all(GREEN) == []
    asked = len(service.requests)
    service.raise_alert()
    browser.wait(lambda: service.points > 12, "some seconds")
    assert (len(service.requests), browser.all("#sign-in-box[open]")) == (asked, [])

    browser.press("#locked button")
    browser.keys("letmein", "ENTER")
    browser.says("#connection", "live")
    browser.says("#role", "admin")
    assert browser.all("#locked") == []
    assert all("401" in one for one in browser.logged())


def test_before_the_first_label_what_is_waited_for_is_said(browser: Browser, serve: Start) -> None:
    service = serve()
    none: Json = {"joined": 0, "join_rate": None, "delay": {}, "pending": 812, "per_partition": []}
    service.told["/v1/labels"] = none
    service.told["/v1/series"] = {"scores": {}}
    browser.open(service.url)
    browser.shows("#labels", "none has come yet", "No label has found its event yet. 812 predictions wait for theirs.")


@pytest.mark.parametrize(
    ("labelled", "tone", "said"),
    [(12, None, "too few labels to compare it (12)"), (5000, "bad", "not better than majority")],
)
def test_a_model_is_called_worse_than_a_baseline_only_after_enough_labels(
    browser: Browser, serve: Start, labelled: int, tone: str | None, said: str
) -> None:
    service = serve()
    scores: Json = {"champion": {"log_loss": 0.71}, "majority": {"log_loss": 0.05}}
    service.told["/v1/overview"] = {"labelled": labelled, "scores": scores}
    browser.open(service.url)
    browser.says("[data-tile=score] .said", said)
    browser.wait(lambda: browser.attribute("[data-tile=score]", "data-tone") == tone, "its colour")


def test_before_the_first_event_each_part_says_what_will_stand_there(browser: Browser, serve: Start) -> None:
    service = calm(serve, tick=3600)
    empty: Json = {column: [] for column in service.get("/v1/series", {}, "viewer") or {}}
    service.told |= {
        "/v1/series": empty | {"scores": {}, "marks": []},
        "/v1/drift": {"at": [], "time": [], "rows": []},
        "/v1/overview": {"champion": None, "partitions": [], "stream_time": None, "scores": {}},
        "/v1/models": {"models": []},
        "/v1/workers": {"workers": [], "partitions": []},
    }
    browser.open(service.url, height=6000)
    browser.says("#headline", "No drift is open.")
    browser.says("#now", "Detectors still learn what is usual")
    browser.says("#scores-chart", "No scores yet")
    browser.says("#throughput", "stands here as soon as")
    browser.says("#heat", "No detector watches a feature yet")
    browser.says("#model-list", "No version serves yet")
    browser.says("#workers-body", "No worker has told of itself yet")
    assert browser.all(GREEN) == []


def test_dead_letters_say_since_when_they_are_counted(browser: Browser, serve: Start) -> None:
    browser.open(serve().url)
    browser.shows("#quality-said", "12,077 since Fri 5 Jun, 12:00")


def test_records_are_not_called_readable_while_dead_letters_cannot_be_read(browser: Browser, serve: Start) -> None:
    service = serve()
    letters: Json = {
        "total": 0,
        "since": None,
        "by_reason": {},
        "samples": [],
        "heard": END,
        "trouble": "the broker is away",
    }
    service.told["/v1/quality"] = {"dead_letters": letters}
    browser.open(service.url)
    browser.shows("#quality", "There may be newer dead letters than these: the broker is away")
    assert "No record" not in browser.text("#quality")


def test_evidence_over_its_threshold_is_no_drift_where_the_detector_says_so(browser: Browser, serve: Start) -> None:
    service = calm(serve)
    browser.open(f"{service.url}#feature=amount")
    browser.press("[data-key=close]")
    browser.see("features", "[data-feature=amount]")
    assert browser.attribute("[data-feature=amount]", "data-state") == "stable"
    assert "too small to count" in (browser.attribute("[data-feature=amount]", "aria-label") or "")


def test_a_feature_can_be_looked_at_from_its_alert_as_soon_as_it_is_known(browser: Browser, serve: Start) -> None:
    browser.open(serve().url)
    browser.says("#now .acts", "Look at amount")


def test_a_drift_that_no_worker_knows_of_any_more_is_said_never_to_be_called_over(
    browser: Browser, serve: Start
) -> None:
    service = serve()
    browser.open(service.url)
    browser.says("#headline", "amount")
    browser.says("#health", "healthy")
    assert "No worker knows of this drift" not in browser.text("#now")
    service.told["/v1/overview"] = {"open_drifts": {}}
    browser.says("#now", "No worker knows of this drift any more", "acknowledge it")


ROWS: Final = """
    const tiles = [...document.querySelectorAll('#pulse .tile')].map((tile) => tile.getBoundingClientRect());
    const rows = Map.groupBy(tiles, ({top}) => Math.round(top));
    const [from, to] = [Math.min(...tiles.map(({left}) => left)), Math.max(...tiles.map(({right}) => right))];
    return [...rows.values()].map((row) => row.at(0).left === from && Math.abs(row.at(-1).right - to) < 0.5);
"""
"""Of each row of tiles, whether it fills the width."""


@pytest.mark.parametrize("width", [375, 768, 1024, 1280, 1440, 1920])
def test_tiles_fill_their_rows_and_the_bar_stays_low(browser: Browser, serve: Start, width: int) -> None:
    browser.open(serve().url, width=width)
    browser.says("#role", "operator")
    assert set(browser.run(ROWS)) == {True}
    high = browser.run("return document.querySelector('.top').getBoundingClientRect().height")
    assert high < (190 if width < 600 else 130)
