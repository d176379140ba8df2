"""How often a client may ask, and how long a body may take."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from stream.web.errors import Refused
from stream.web.limits import CLIENTS, MINUTE, Rate, bounded
from tests.clock import Clock


def allowed(rate: Rate, clock: Clock, times: list[float]) -> list[float]:
    """Of a client's requests at these times, those that are let through."""
    passed = []
    for at in times:
        clock.now = at
        if not rate.take("anna"):
            passed.append(at)
    return passed


def test_as_many_as_allowed_pass_at_once_and_then_as_many_a_minute() -> None:
    clock = Clock(0.0)
    times = [0.0, 0.1, 0.2, 0.3, 19.9, 20.0, 20.1, 39.9, 40.0]
    assert allowed(Rate(3, clock), clock, times) == [0.0, 0.1, 0.2, 20.0, 40.0]


def test_a_steady_client_at_the_limit_is_never_refused() -> None:
    clock = Clock(0.0)
    times = [n * MINUTE / 10 for n in range(200)]
    assert allowed(Rate(10, clock), clock, times) == times


def test_after_a_quiet_minute_there_is_room_for_all_of_them_again() -> None:
    clock = Clock(0.0)
    assert len(allowed(Rate(2, clock), clock, [0.0, 1.0, 2.0, 91.0, 92.0, 93.0])) == 4


@given(st.integers(1, 20), st.lists(st.floats(0, 600), min_size=1, max_size=200))
def test_whoever_waits_as_long_as_told_gets_through(most: int, times: list[float]) -> None:
    clock = Clock(0.0)
    rate = Rate(most, clock)
    for at in sorted(times):
        clock.now = max(clock.now, at)
        wait = rate.take("anna")
        if wait:
            assert 0 < wait <= MINUTE
            clock.now += wait
            assert rate.take("anna") == 0.0


def test_nobody_is_told_to_wait_longer_than_a_minute_by_a_rounding() -> None:
    rate = Rate(1, Clock(5 / 7))
    assert [rate.take("anna") for _ in range(2)] == [0.0, MINUTE]


def test_what_is_kept_of_clients_is_bounded_and_the_quietest_go_first() -> None:
    clock = Clock(0.0)
    rate = Rate(1, clock)
    for n in range(2 * CLIENTS):
        rate.take(f"client {n}")
        rate.take("anna")
    assert rate.clients == CLIENTS
    assert rate.take("anna") > 0
    assert rate.take("client 0") == 0


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def never() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    async def wait() -> Message:
        return await bounded(never, 10, seconds=0.01)()

    with pytest.raises(Refused) as caught:
        asyncio.run(wait())
    assert (caught.value.status_code, caught.value.headers) == (HTTPStatus.REQUEST_TIMEOUT, {"Connection": "close"})


def test_of_a_body_in_parts_all_of_them_count() -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"x" * 6, "more_body": True} for _ in range(2)]

    async def next_one() -> Message:
        return messages.pop(0)

    async def both() -> None:
        receive = bounded(next_one, 10)
        await receive()
        await receive()

    with pytest.raises(Refused) as caught:
        asyncio.run(both())
    assert (caught.value.status_code, messages) == (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, [])


def test_when_the_body_has_come_the_client_may_stay_as_long_as_it_likes() -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"x"}, {"type": "http.disconnect"}]

    async def next_one() -> Message:
        await asyncio.sleep(0.1 if len(messages) == 1 else 0.0)
        return messages.pop(0)

    async def both() -> list[str]:
        receive = bounded(next_one, 10, seconds=0.05)
        return [(await receive())["type"] for _ in range(2)]

    assert asyncio.run(both()) == ["http.request", "http.disconnect"]
