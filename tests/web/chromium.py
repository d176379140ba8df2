"""Debian's Chromium, driven through its own driver, with what tests ask of a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.system import program

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds that something on the page is waited for."""
_OPTIONS: Final = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--no-first-run", "--window-size=1440,1000",
)  # fmt: skip
_PRESSED: Final = frozenset(
    {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "DisclosureTriangle"}
)


class Browser:
    """A Chromium without a window. Use as a context. Where there is none, this fails with the command that gets it."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        for option in _OPTIONS:
            options.add_argument(option)
        options.binary_location = program("chromium")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(program("chromedriver")))

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()

    @contextmanager
    def without_errors(self) -> Iterator[Browser]:
        """Whatever it looks at meanwhile, its console must be without errors at the end."""
        yield self
        errors = self.logged()
        self.driver.get("about:blank")
        assert errors == []

    def open(self, url: str, *, width: int = 1440, height: int = 1000, dark: bool = False) -> None:
        """Open an address in a fresh tab, which has kept nothing, of this size."""
        old = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        new = self.driver.current_window_handle
        self.driver.switch_to.window(old)
        self.driver.close()
        self.driver.switch_to.window(new)
        kept = {"origin": url, "storageTypes": "local_storage"}
        self.driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", kept)
        self.size(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})
        self.driver.get(url)

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        """The first element of a selector, as soon as it is there."""
        return self.wait(lambda: next(iter(self.all(selector)), None), selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def says(self, selector: str, *texts: str) -> None:
        """Wait until an element has these texts in it."""
        self.wait(lambda: all(text in self.text(selector) for text in texts), f"{selector} says {texts}")

    def shows(self, selector: str, *texts: str) -> None:
        """Wait until an element has these texts in it, in sight whatever above it grows: what is not, is not drawn."""
        look = """
            const element = document.querySelector(arguments[0]);
            element?.scrollIntoView({behavior: 'instant'});
            return element?.textContent ?? '';
        """
        self.wait(lambda: all(text in self.run(look, selector) for text in texts), f"{selector} shows {texts}")

    def wait(self, condition: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
        """What the condition gives as soon as that is not false."""
        return WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(
            lambda _: condition() or False, f"in vain: {what}"
        )

    def press(self, selector: str) -> None:
        """Click an element, wherever on the page it is."""

        def pressed() -> bool:
            try:
                element = self.find(selector)
                self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
                element.click()
            except StaleElementReferenceException:  # it was made anew just then
                return False
            return True

        self.wait(pressed, f"{selector} is pressed")

    def keys(self, *keys: str) -> None:
        """Type to whatever has the focus."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(getattr(Keys, key) if key.isupper() else key)

    def attribute(self, selector: str, name: str) -> str | None:
        """An attribute of the element that is there at that moment."""
        script = "return document.querySelector(arguments[0])?.getAttribute(arguments[1])"
        value: str | None = self.run(script, selector, name)
        return value

    def see(self, part: str, holds: str = "*") -> None:
        """Bring a part of the page into sight, whatever above it grows, until it is drawn and holds something."""
        look = """
            const part = document.getElementById(arguments[0]);
            part.scrollIntoView({behavior: 'instant'});
            return part.dataset.drawn && part.querySelector(arguments[1]) !== null;
        """
        self.wait(lambda: self.run(look, part, holds), f"{part} is drawn")

    def draw_charts(self, within: str) -> None:
        """Bring charts into sight until each is drawn: one whose points came when it was out of sight, is not."""
        look = """
            const charts = [...document.querySelectorAll(`${arguments[0]} figure.chart`)];
            const missing = charts.find((one) => !one.querySelector('.plot svg.main-svg'));
            missing?.scrollIntoView({block: 'center', behavior: 'instant'});
            return charts.length > 0 && !missing;
        """
        self.wait(lambda: self.run(look, within), f"the charts within {within}")

    def logged(self) -> list[str]:
        """Errors on the console since this was asked last."""
        log: list[dict[str, str]] = self.driver.execute(Command.GET_LOG, {"type": "browser"})["value"]
        return [one["message"] for one in log if one["level"] == "SEVERE"]

    def hosts(self) -> set[str]:
        """Hosts and ports from which something was fetched."""
        names = self.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
        return {urlsplit(name).netloc for name in names}

    def nameless(self) -> list[str]:
        """What can be pressed or filled in and has no name for those who do not see it."""
        self.driver.execute_cdp_cmd("Accessibility.enable", {})
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [
            json.dumps(node["role"]) + json.dumps(node.get("properties"))
            for node in nodes
            if not node.get("ignored")
            and node.get("role", {}).get("value") in _PRESSED
            and not node.get("name", {}).get("value", "").strip()
        ]
