"""Open pages: what a browser that shows one reads of a service and asks it for, in a process of its own."""

from __future__ import annotations

import random
import threading
import time
from multiprocessing.synchronize import Semaphore
from types import TracebackType
from typing import Final, Self

import httpx2

from bench.live import CONTEXT

ASKED: Final = {
    "/v1/overview": 5.0,
    "/v1/workers": 5.0,
    "/v1/labels": 10.0,
    "/v1/quality": 15.0,
    "/v1/models": 30.0,
    "/v1/drift?points=120": 60.0,
    "/v1/alerts?limit=200": 60.0,
    "/v1/audit?limit=100": 60.0,
    "/v1/series?points=300": 120.0,
}
"""What a page asks for with all of it in sight, and how often, in seconds: `SOURCES` in `static/js/main.js`."""
_TIMEOUT: Final = 30.0
_OPEN_SECONDS: Final = 60.0


class Pages:
    """So many pages of the service at this port, open and done with their first questions as long as the block lasts.

    Raises TimeoutError when they are not within a minute.
    """

    def __init__(self, port: int, pages: int) -> None:
        self._open = CONTEXT.Semaphore(0)
        self._pages = pages
        self._process = CONTEXT.Process(target=_show, args=(f"http://127.0.0.1:{port}", pages, self._open), daemon=True)

    def __enter__(self) -> Self:
        if self._pages:
            self._process.start()
        for _ in range(self._pages):
            if not self._open.acquire(timeout=_OPEN_SECONDS):
                raise TimeoutError(f"{self._pages} pages were not open after {_OPEN_SECONDS:g} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pages:
            self._process.kill()
            self._process.join()


def _show(address: str, pages: int, opened: Semaphore) -> None:
    for _ in range(pages):
        threading.Thread(target=_listen, args=(address,), daemon=True).start()
        threading.Thread(target=_ask, args=(address, opened), daemon=True).start()
    threading.Event().wait()


def _listen(address: str) -> None:
    """Read the live stream."""
    with httpx2.Client(base_url=address, timeout=_TIMEOUT) as client, client.stream("GET", "/v1/live") as answer:
        answer.raise_for_status()
        for _ in answer.iter_bytes():
            pass


def _ask(address: str, opened: Semaphore) -> None:
    """Ask for each thing whenever it is due."""
    due = dict.fromkeys(ASKED, 0.0)
    told = False
    with httpx2.Client(base_url=address, timeout=_TIMEOUT) as client:
        while True:
            for path, every in ASKED.items():
                if due[path] <= time.monotonic():
                    first = due[path] == 0.0
                    # Not all pages that are opened at once ask again at one instant.
                    due[path] = time.monotonic() + every * (random.random() if first else 1.0)
                    client.get(path).raise_for_status()
            if not told:
                opened.release()
                told = True
            time.sleep(max(0.0, min(due.values()) - time.monotonic()))  # until the next thing is due, as a browser does
