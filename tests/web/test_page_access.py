"""Who may use the page: by role, by keyboard, by ear, in the dark, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.web.chromium import Browser
from tests.web.conftest import Start

PARTS: Final = ("now", "scores", "throughput", "features", "alerts", "models", "labels", "quality", "workers", "audit")

CONTRAST: Final = """
    const parse = (text) => {
        const found = text.match(/rgba?\\(([^)]+)\\)/);
        if (found) { const [r, g, b, a = 1] = found[1].split(/[\\s,/]+/).map(Number); return [r, g, b, a]; }
        const mixed = text.match(/color\\(srgb ([^)]+)\\)/);
        const [r, g, b, a = 1] = mixed[1].split(/[\\s/]+/).filter(Boolean).map(Number);
        return [255 * r, 255 * g, 255 * b, a];
    };
    const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
    const luminance = (rgb) => {
        const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        const layers = [];
        for (let one = element; one; one = one.parentElement) {
            const colour = parse(getComputedStyle(one).backgroundColor);
            if (colour[3] > 0) layers.push(colour);
            if (colour[3] === 1) break;
        }
        return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
    };
    const found = new Map();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || !element.checkVisibility({visibilityProperty: true})) continue;
        if (element.closest('.unseen, script, style, noscript, option')) continue;
        const style = getComputedStyle(element);
        const under = ground(element.closest('svg')?.parentElement ?? element);
        const text = over(parse(element.closest('svg') ? style.fill : style.color), under);
        const [light, dark] = [luminance(text), luminance(under)].sort((a, b) => b - a);
        const size = parseFloat(style.fontSize);
        const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
        const ratio = (light + 0.05) / (dark + 0.05);
        const what = `${element.tagName}.${element.getAttribute('class')}: ${walker.currentNode.textContent.trim()}`;
        if (ratio < needed) found.set(what, ratio.toFixed(2));
    }
    return [...found].map(([what, ratio]) => `${ratio} ${what}`);
"""
"""Texts whose contrast is less than WCAG's level AA asks for."""

WIDE: Final = """
    const scrolling = '.scrolls, .sections, .lineage-frame, .plot, .unseen, .skip';
    const own = (element) => element.closest(scrolling);
    const wide = [...document.querySelectorAll('body *')].filter(
        (element) => element.checkVisibility() && !own(element)
            && element.getBoundingClientRect().right > innerWidth + 0.5);
    return [document.documentElement.scrollWidth - innerWidth,
        wide.map((element) => `${element.tagName}.${element.getAttribute('class')}`)];
"""

DARK: Final = """
    const bright = (colour) => colour.match(/\\d+/g).slice(0, 3).reduce((sum, one) => sum + Number(one), 0) > 384;
    const text = document.querySelector('#throughput .plot')?.layout?.font.color;
    const cell = document.querySelector('.heat-legend i')?.style.background;
    return text && cell && [!bright(getComputedStyle(document.body).backgroundColor), bright(text), !bright(cell)];
"""
"""Whether the page, a chart and the heat map are dark; null before they are there."""


def everything(browser: Browser) -> Iterator[str]:
    """The page with all that it has in sight and opened, then each dialog, by name."""
    browser.says("#headline", "amount")  # while it is in sight: what is not is not drawn
    for part in PARTS:
        browser.see(part)
    browser.run("for (const one of document.querySelectorAll('main details:not(.chart details)')) one.open = true")
    browser.press(".alert-head[data-key=a007]")
    browser.says("#alert-a007", "basket_size")
    browser.draw_charts("main")
    yield "page"
    browser.see("features", "[data-feature=amount]")
    browser.press("[data-feature=amount]")
    browser.says("#feature", "country=US")
    browser.draw_charts("#feature")
    yield "feature"
    browser.press("[data-key=close]")
    browser.press("[data-key=undo]")
    browser.find("#confirm[open]")
    yield "confirmation"
    browser.keys("ESCAPE")
    browser.press("#sign-in")
    browser.find("#sign-in-box[open]")
    yield "sign in"
    browser.keys("ESCAPE")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read_and_all_that_is_pressed_has_a_name(browser: Browser, serve: Start, dark: bool) -> None:
    browser.open(serve(partitions=6).url, dark=dark)
    for what in everything(browser):
        assert (what, browser.run(CONTRAST)) == (what, [])
        assert (what, browser.nameless()) == (what, [])


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, serve: Start) -> None:
    browser.open(serve(features=30, partitions=50).url, width=360, height=740)
    for what in everything(browser):
        assert (what, browser.run(WIDE)) == (what, [0, []])


def test_a_viewer_is_told_which_role_a_change_takes(browser: Browser, serve: Start) -> None:
    service = serve(role="viewer")
    browser.open(service.url)
    browser.says("#role", "viewer")
    undo = "[data-key=undo]"
    browser.says("#now", "Roll back to version 2")
    assert browser.attribute(undo, "aria-disabled") == "true"
    browser.run("document.querySelector(arguments[0]).focus()", undo)
    browser.says("#bubble", "takes the role operator", "you are viewer")
    assert browser.attribute(undo, "aria-describedby") == "bubble"
    browser.keys("ENTER")
    browser.press(undo)
    assert browser.all("#confirm[open]") == []
    assert service.posts == []


def test_a_measure_says_what_it_is(browser: Browser, serve: Start) -> None:
    browser.open(serve().url)
    browser.see("scores")
    browser.wait(lambda: browser.attribute("#metric", "data-why"), "its words")
    browser.run("document.getElementById('metric').focus()")
    browser.says("#bubble", "How far the stated probabilities were from what came true")


def test_a_token_unlocks_what_its_role_may(browser: Browser, serve: Start) -> None:
    browser.open(serve(role="viewer").url)
    browser.says("#role", "viewer")
    browser.press("#sign-in")
    browser.keys("letmein", "ENTER")
    browser.says("#role", "admin")
    browser.wait(lambda: browser.attribute("[data-key=undo]", "aria-disabled") is None, "it is unlocked")
    browser.driver.refresh()
    browser.says("#role", "admin")


def test_where_a_token_is_needed_it_is_asked_for(browser: Browser, serve: Start) -> None:
    browser.open(serve(role=None).url)
    browser.says("#sign-in-box[open]", "A token is needed")
    browser.keys("wrong", "ENTER")
    browser.says("#sign-in-box", "This token is not known here.")
    browser.keys("letmein", "ENTER")
    browser.says("#headline", "amount")
    browser.says("#connection", "live")
    assert all("401" in one for one in browser.logged())


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_theme_is_the_systems_until_another_is_chosen_which_is_kept(
    browser: Browser, serve: Start, dark: bool
) -> None:
    browser.open(serve(tick=3600).url, dark=dark)  # no new point has the chart drawn
    browser.see("throughput")
    browser.wait(lambda: browser.run(DARK) == [dark] * 3, "as the system has it")
    browser.press("#theme")
    browser.says("#theme", "light")
    browser.wait(lambda: browser.run(DARK) == [False] * 3, "light")
    browser.press("#theme")
    browser.says("#theme", "dark")
    browser.wait(lambda: browser.run(DARK) == [True] * 3, "dark")
    browser.driver.refresh()
    browser.see("throughput")
    browser.wait(lambda: browser.run(DARK) == [True] * 3, "still dark")


def test_every_chart_says_what_it_shows_and_is_a_table_too(browser: Browser, serve: Start) -> None:
    browser.open(serve().url, height=6000)
    points = """
        const charts = [...document.querySelectorAll('main figure.chart .plot')];
        return Math.min(...charts.map((one) => one.data?.[0]?.x.length ?? 0));
    """
    browser.wait(lambda: browser.run(points) >= 300, "history in every chart")
    for figure in browser.all("main figure.chart"):
        said = browser.run("return arguments[0].querySelector('figcaption').textContent", figure)
        assert any(digit.isdigit() for digit in said)
        browser.run("arguments[0].querySelector('details').open = true", figure)
    rows = "return [...document.querySelectorAll('main figure.chart')].map(e => e.querySelectorAll('tbody tr').length)"
    browser.wait(lambda: min(browser.run(rows)) >= 300, "all tables")
    browser.press("#heat summary")
    browser.says("#heat table", "amount", "KS test", "drift")


def test_the_first_tab_stop_leads_to_the_newest_alert(browser: Browser, serve: Start) -> None:
    browser.open(serve().url)
    browser.says("#headline", "amount")
    browser.keys("TAB")
    assert browser.run("return document.activeElement.textContent") == "Skip to the newest alert"
    browser.keys("ENTER")
    assert browser.run("return document.activeElement.id") == "now"
