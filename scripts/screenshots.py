"""Takes the pictures of the page in docs/images: PYTHONPATH=. python scripts/screenshots.py [ADDRESS]

Of the page at an address (the demo prints its own), or else of a demo that it runs until a drift of the errors is open
and a challenger has taken over. Needs Chromium and its driver.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2

from stream.cli import again
from tests.web.chromium import Browser

FOLDER: Final = Path(__file__).parents[1] / "docs/images"

WIDTH, TALL, PHONE = 1440, 960, (390, 844)
"""Pixels: of the page's pictures, and of a phone."""

_SPEED: Final = "40000"  # simulated seconds per second: a drift of some days is open for long enough
_MINUTES: Final = 8.0
_CHARTS: Final = "return document.querySelectorAll('#scores-chart .main-svg, #throughput .main-svg').length"
_OPENED: Final = "return document.querySelectorAll('#feature .plot .main-svg').length"


def asked(page: str, path: str) -> dict[str, Any]:
    """What the API behind a page answers."""
    found: dict[str, Any] = httpx2.get(page + path, timeout=30).raise_for_status().json()
    return found


def worth_showing(page: str) -> bool:
    """Whether errors have drifted, which is not over, after a challenger took over. False while nobody answers."""
    try:
        swaps = asked(page, "v1/alerts?kind=model_swap&limit=1")["alerts"]
        return bool(swaps and asked(page, "v1/alerts?kind=concept_drift&state=open&limit=1")["alerts"])
    except httpx2.HTTPError:
        return False


@contextmanager
def demo() -> Iterator[str]:
    """The page of a demo, at a moment worth showing."""
    process = subprocess.Popen(
        again.command("demo", "--plain", "--speed", _SPEED),
        env=again.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        told = (re.search(r"Its page is at (\S+?),", line) for line in process.stdout)
        page = next(found[1] for found in told if found)
        deadline = time.monotonic() + 60 * _MINUTES
        while not worth_showing(page):
            if time.monotonic() > deadline:
                raise SystemExit(f"No drift of the errors was open within {_MINUTES:g} minutes.")
            time.sleep(0.5)  # questions to the API are limited, and nothing tells of a moment worth showing
        yield page
    finally:
        process.terminate()
        process.communicate()


def take(browser: Browser, name: str) -> None:
    """Keep what is in sight as a picture, once it is drawn."""
    browser.driver.execute_async_script(
        "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
    )  # it is drawn
    browser.driver.save_screenshot(str(FOLDER / f"{name}.png"))


def pictures(page: str) -> None:
    """All pictures of a page."""
    with Browser() as browser:
        for name, dark in ("page-light", False), ("page-dark", True):
            browser.open(page, width=WIDTH, height=TALL, dark=dark)
            browser.says("#connection", "live")
            browser.wait(lambda: browser.run(_CHARTS), "charts")
            take(browser, name)
        browser.open(f"{page}#feature=waiting", width=WIDTH, height=TALL)
        browser.wait(lambda: browser.run(_OPENED), "the feature's charts")
        take(browser, "page-feature")
        browser.open(page, width=PHONE[0], height=PHONE[1])
        browser.says("#connection", "live")
        browser.find("#headline")
        take(browser, "page-phone")


def main(addresses: list[str]) -> None:
    """Take the pictures of the page at an address, or of a demo."""
    if addresses:
        pictures(addresses[0])
        return
    with demo() as page:
        pictures(page)


if __name__ == "__main__":
    main(sys.argv[1:])
