"""Chromium before a made-up service. Where Chromium is missing, tests fail: nothing is skipped."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.web.chromium import Browser
from tests.web.fixture import Fixture

Start = Callable[..., Fixture]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One for all tests."""
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser, serve: Start) -> Iterator[Browser]:
    """It looks away while the service is still there."""
    with chromium.without_errors():
        yield chromium


@pytest.fixture(scope="session")
def port() -> int:
    """One for all services: Chromium need not compile the page's scripts again."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        free: int = server.getsockname()[1]
    return free


@pytest.fixture
def serve(port: int) -> Iterator[Start]:
    """Starts a service for the page to look at."""
    started: list[Fixture] = []

    def start(**how: Any) -> Fixture:
        started.append(Fixture(**{"tick": 0.5, "port": port} | how))
        return started[-1]

    yield start
    for one in started:
        one.close()
