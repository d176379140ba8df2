"""The page in a real browser: what it shows, that it moves, and what one can do from it."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.web import week
from tests.web.chromium import Browser
from tests.web.conftest import Start
from tests.web.week_alerts import NEW

TIMES = "return document.querySelector('#throughput .plot').data?.[0].x ?? []"
SHAPES = "return document.querySelector('#scores-chart .plot').layout?.shapes.length ?? 0"

BOLD = """
    const { shapes } = document.querySelector('#scores-chart .plot').layout;
    return shapes.filter((one) => one.line.width > 1).map((one) => one.x0);
"""

BARS = """
    const bars = document.querySelector('#feature .plot')?.data?.find((trace) => trace.type === 'bar');
    return bars ? Object.fromEntries(bars.y.map((value, i) => [value, Number(bars.x[i].toFixed(6))])) : null;
"""

CLICK = """
    const plot = document.querySelector('#scores-chart .plot');
    const data = plot.data.find((trace) => trace.name === 'marks');
    plot.emit('plotly_click', {points: [{data, pointIndex: data.text.findIndex((one) => one.includes(arguments[0]))}]});
"""


def test_the_newest_alert_is_told_with_evidence_and_the_way_back(browser: Browser, serve: Start) -> None:
    browser.open(serve().url)
    browser.says("#headline", "mean of amount rose from 38.2 to 61.7")
    browser.says("#now", "38.2", "61.7", "+61.5 %", "Fri 12 Jun, 08:48", "1 in 2.4 million", "the threshold (KS test)")
    browser.says("#now", "Challenger 4 is learning beside the champion")
    browser.says("#now .acts", "Roll back to version 2", "Acknowledge")
    browser.says("#now .others", "Labels come less often than usual")


def test_that_no_drift_is_open_is_not_all_that_is_said_when_alerts_cannot_be_read(
    browser: Browser, serve: Start
) -> None:
    service = serve()
    service.alerts.clear()
    service.states = "stable"
    service.trouble = "the broker does not answer"
    browser.open(service.url)
    browser.says("#headline", "whether a drift is open is not known")
    browser.says("#deaf", "There may be newer alerts than these", "the broker does not answer")
    service.trouble = None
    browser.says("#headline", "no drift is open")  # by itself: what is troubled is asked for again soon
    assert browser.all("#deaf") == []


def test_numbers_move(browser: Browser, serve: Start) -> None:
    browser.open(serve(tick=0.2).url)
    browser.says("#connection", "live")
    value = "[data-tile=latency] .value"
    before = browser.wait(lambda: browser.text(value), "a number")
    browser.wait(lambda: browser.text(value) != before, "another number")
    browser.see("throughput")
    times = browser.wait(lambda: browser.run(TIMES), "the chart")
    browser.wait(
        lambda: browser.run(TIMES)[-1] > times[-1], "a point that the stream told, not the answer of a request"
    )


def test_a_drift_that_is_told_stands_at_the_top_and_on_the_chart(browser: Browser, serve: Start) -> None:
    service = serve()
    browser.open(service.url)
    browser.says("#headline", "amount")
    shapes = browser.wait(lambda: browser.run(SHAPES), "the chart")
    service.raise_alert()
    browser.says("#headline", NEW["headline"])
    browser.says("#said", "New alert", NEW["headline"])
    browser.says("#marks", "warning", "ddm warns in partition 1")
    browser.says("#marks", NEW["headline"])
    browser.wait(lambda: browser.run(SHAPES) >= shapes + 2, "its line and its band on the chart")


def test_a_mark_that_has_the_focus_in_the_list_stands_out_on_the_chart(browser: Browser, serve: Start) -> None:
    service = serve()
    browser.open(service.url)
    browser.says("#marks", "Version 4 took over")
    service.raise_alert()  # with which all of the history is asked for anew
    browser.says("#marks", NEW["headline"])
    browser.run("document.querySelector('#marks .mark-swap').focus()")
    browser.wait(lambda: browser.run(BOLD) == [week.SWAPPED * 1000], "its line is a bold one")


def test_a_mark_on_the_chart_leads_to_its_alert(browser: Browser, serve: Start) -> None:
    browser.open(serve().url)
    browser.wait(lambda: browser.run(SHAPES), "the chart")
    browser.run(CLICK, "Version 4 took over")
    browser.wait(lambda: browser.attribute(".alert-head[data-key=a005]", "aria-expanded") == "true", "it is open")
    assert browser.run("return document.activeElement.dataset.key") == "a005"


def test_a_feature_opens_by_click(browser: Browser, serve: Start) -> None:
    browser.open(serve().url)
    browser.see("features", "[data-feature=amount]")
    browser.press("[data-feature=amount]")
    browser.says(
        "#feature", "amount", "Drifted", "country=US", "Half of the values are below", "The mean of amount rose"
    )
    browser.draw_charts("#feature")


def test_a_feature_opens_by_keyboard_and_gives_the_focus_back(browser: Browser, serve: Start) -> None:
    browser.open(serve().url)
    browser.see("features", "[data-feature=amount]")
    browser.run("document.getElementById('order').focus()")
    browser.keys("TAB", "ARROW_DOWN", "ENTER")
    second = browser.run("return document.querySelectorAll('#heat button.row')[1].dataset.feature")
    browser.says("#feature-title", second)
    browser.keys("ESCAPE")
    browser.wait(lambda: not browser.all("#feature[open]"), "the drawer is closed")
    assert browser.run("return document.activeElement.dataset.feature") == second


def test_a_feature_is_not_called_fine_while_a_detector_warns(browser: Browser, serve: Start) -> None:
    service = serve()
    service.readings["hour"] = [
        week.reading("ks", "hour", 0.6) | {"segment": None, "partition": 0},
        week.reading("chi_squared", "hour", 0.4) | {"state": "warning", "segment": None, "partition": 1},
    ]
    browser.open(f"{service.url}#feature=hour")
    browser.says("#feature .verdict", "Warning: no drift yet", "40.0 % of its threshold (chi-squared)")
    assert browser.attribute("#feature .verdict", "class") == "verdict over"


def test_a_feature_that_takes_part_in_the_drift_of_another_is_not_said_to_have_drifted(
    browser: Browser, serve: Start
) -> None:
    service = serve()
    service.readings["basket_size"] = [week.reading("ks", "basket_size", 0.4) | {"segment": None, "partition": 1}]
    browser.open(f"{service.url}#feature=basket_size")
    browser.says("#feature .verdict", "Takes part in a drift: The mean of amount rose")


def test_what_is_beyond_the_categories_that_are_told_is_not_one_that_is_called_other(
    browser: Browser, serve: Start
) -> None:
    service = serve()
    told = {"kind": "category", "n": 400, "missing": 0.0, "shares": {"US": 0.5, "other": 0.2}}
    service.told["/v1/features/country"] = {"reference": told, "current": told}
    browser.open(f"{service.url}#feature=country")
    browser.says("#feature-title", "country")
    browser.draw_charts("#feature")
    bars = browser.wait(lambda: browser.run(BARS), "the bars")
    assert bars == {"US": 0.5, "other": 0.2, "all other values": 0.3}


def test_a_feature_is_still_open_after_a_reload(browser: Browser, serve: Start) -> None:
    browser.open(serve().url)
    browser.see("features", "[data-feature=country]")
    browser.press("[data-feature=country]")
    browser.says("#feature", "country", "changed most")
    browser.driver.refresh()
    browser.says("#feature", "country", "changed most")


def test_rolling_back_says_what_will_happen_and_posts_the_reason(browser: Browser, serve: Start) -> None:
    service = serve()
    browser.open(service.url)
    browser.press("[data-key=undo]")
    browser.says("#confirm", "Roll back to version 2?", "Version 4 stops serving; version 2 serves")
    browser.says("#confirm", "Version 2 comes back with what it has learned since in task 0, task 1.")
    browser.press("#confirm [type=submit]")
    browser.keys(" ")
    browser.press("#confirm [type=submit]")
    browser.says("#confirm .refused", "Please say why.")
    assert service.posts == []
    browser.keys("amounts were wrong by a factor")
    browser.press("#confirm [type=submit]")
    browser.says("#toasts", "Version 2 serves now.")
    assert service.posts == [("/v1/models/rollback", {"to": 2, "reason": "amounts were wrong by a factor"})]
    browser.see("models")
    browser.shows("#model-list .served", "version 2")
    browser.shows("#audit", "amounts were wrong by a factor", "you operator, 127.0.0.1")
    browser.shows("#audit", "ci@build-7 by the command line")
    browser.shows("#audit", "paused: no → paused who jon, when Sat 6 Jun 2026, 21:37, reason a look")


def test_a_version_is_promoted_with_a_reason(browser: Browser, serve: Start) -> None:
    service = serve()
    browser.open(service.url)
    browser.see("models", "[data-key=promote-1]")
    browser.press("[data-key=promote-1]")
    browser.says("#confirm", "Version 1 serves as it was stored, before its first label")
    browser.says("#confirm", "Version 4 stops serving; version 1")
    browser.keys("the old world is back", "TAB", "TAB", "ENTER")
    browser.wait(lambda: service.posts, "a post")
    assert service.posts == [("/v1/models/1/promote", {"reason": "the old world is back"})]


def test_an_acknowledged_alert_steps_behind_one_that_nobody_knows(browser: Browser, serve: Start) -> None:
    service = serve()
    browser.open(service.url)
    browser.press("[data-key=ack]")
    browser.keys("looking")
    browser.press("#confirm [type=submit]")
    browser.says("#headline", "Labels come less often")
    browser.says("#now .others", "amount", "acknowledged")
    assert service.posts == [("/v1/alerts/a007/acknowledge", {"note": "looking"})]


def test_a_pause_is_asked_for_shown_and_ended(browser: Browser, serve: Start) -> None:
    service = serve()
    browser.open(service.url)
    browser.says("#role", "operator")
    browser.press("#pause")
    browser.keys("maintenance")
    browser.press("#confirm [type=submit]")
    browser.says("#paused", "Paused by you", "maintenance")
    browser.press("#paused button")
    browser.keys("done")
    browser.press("#confirm [type=submit]")
    browser.wait(lambda: not browser.all("#paused"), "the banner is gone")
    assert [path for path, _ in service.posts] == ["/v1/pause", "/v1/resume"]


def test_each_thing_is_asked_for_once_when_the_page_opens(browser: Browser, serve: Start) -> None:
    service = serve()
    browser.open(service.url)
    browser.wait(lambda: "/v1/audit?limit=100" in service.requests, "the last of them")
    assert [service.requests.count(f"/v1/{one}") for one in ("me", "models", "labels", "quality")] == [1] * 4


def test_history_survives_a_reload(browser: Browser, serve: Start) -> None:
    browser.open(serve().url)
    before = browser.wait(lambda: browser.run(TIMES), "the chart")
    browser.driver.refresh()
    after = browser.wait(lambda: browser.run(TIMES), "the chart")
    assert after[0] == before[0]
    assert len(after) >= 300
    assert after[-1] >= before[-1]


def test_a_lost_connection_is_shown_and_heals(browser: Browser, serve: Start) -> None:
    service = serve()
    browser.open(service.url)
    browser.says("#connection", "live")
    service.down = True
    service.cut()
    browser.says("#away", "Disconnected since", "goes on by itself")
    browser.says("#connection", "disconnected since")
    service.down = False
    asked = len(service.requests)
    browser.wait(lambda: not browser.all("#away"), "the banner is gone")
    browser.says("#connection", "live")
    browser.wait(lambda: any(path.startswith("/v1/series") for path in service.requests[asked:]), "history anew")
    assert all("503" in one for one in browser.logged())


def test_nothing_comes_from_another_host(browser: Browser, serve: Start) -> None:
    service = serve()
    browser.open(service.url)
    for part in ("scores", "throughput", "features", "alerts", "models", "labels", "quality", "workers", "audit"):
        browser.see(part)
    browser.draw_charts("main")
    assert browser.hosts() == {urlsplit(service.url).netloc}


def test_text_from_the_service_stays_text(browser: Browser, serve: Start) -> None:
    service = serve()
    evil = "<img src=x onerror=alert(1)><b>bold</b>"
    service.alerts[0] |= {"headline": evil, "action_text": evil}
    browser.open(service.url)
    browser.says("#headline", evil)
    browser.says("#marks", evil)
    told = "return document.querySelector('#scores-chart .plot').data?.find(({name}) => name === 'marks').text ?? []"
    texts = browser.wait(lambda: browser.run(told), "the marks on the chart")
    assert [text for text in texts if "<" in text] == []  # Plotly would take it for markup
    browser.press("[data-key=evidence]")
    browser.shows("#alert-list", evil)
    assert browser.all("img[src=x], #headline b") == []


def test_a_partition_is_chosen_and_asked_for(browser: Browser, serve: Start) -> None:
    service = serve()
    browser.open(service.url)
    browser.see("workers", "[data-key=partition-2]")
    browser.press("[data-key=partition-2]")
    asked = {"/v1/live?partition=2", "/v1/series?partition=2&points=300&since=0"}
    browser.wait(lambda: asked <= set(service.requests), "partition 2 is asked for")
    browser.wait(lambda: browser.run("return document.getElementById('partition').value") == "2", "the choice is shown")


def test_what_did_not_change_is_not_drawn_anew(browser: Browser, serve: Start) -> None:
    service = serve(features=100, partitions=50, tick=0.1)
    browser.open(service.url, height=6000)
    browser.wait(lambda: len(browser.all("#heat button.row")) == 101, "a hundred rows, and the errors")
    browser.shows("#workers-said", "50 partitions")
    browser.shows("#model-list", "v3")
    watch = """
        window.redrawn = 0;
        const watch = new MutationObserver((all) => { window.redrawn += all.length; });
        for (const id of ["models", "audit", "alert-list", "now"]) {
            watch.observe(document.getElementById(id), {subtree: true, childList: true});
        }
        document.querySelector("[data-feature=amount]").kept = true;
    """
    browser.run(watch)
    seen = service.points
    browser.wait(lambda: service.points > seen + 15, "fifteen points")
    browser.wait(lambda: browser.run("return document.querySelector('[data-feature=amount]').kept"), "the same row")
    assert browser.run("return window.redrawn") == 0
