"""Events that are asked for: which are taken, and who is given which prediction."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec
import pytest

from stream.errors import BrokerError
from stream.kafka.client import PRODUCER_MAX_BYTES, Outgoing
from stream.records import Prediction
from stream.testing import Raw, small_config
from stream.web.feeds import gateway as module
from stream.web.feeds.gateway import Answer, Gateway, NotAnEvent
from stream.web.feeds.lookup import TookTooLong, TooMany
from stream.web.feeds.tail import Standing, Take


class Broker:
    """Takes what is produced, and answers each event by its id with so many predictions."""

    def __init__(self, answers: int = 1, error: Exception | None = None, *, readable: bool = True) -> None:
        self.produced: list[Outgoing] = []
        self.tails: list[Follower] = []
        self.connected = 0
        self.error = error
        self.answers = answers
        self.readable = readable

    def connect(self) -> Broker:
        self.connected += 1
        return self

    def follow(self, take: Take) -> Follower:
        self.tails.append(Follower(take, readable=self.readable))
        return self.tails[-1]

    def send(self, record: Outgoing, on_error: Callable[[BaseException], object]) -> None:
        if self.error is not None:
            on_error(self.error)
            return
        self.produced.append(record)
        for _ in range(self.answers):
            self.tails[-1].take(
                [Raw(b"{"), predicted("other"), predicted(str(msgspec.json.decode(record.value or b"")["id"]))]
            )

    def flush(self, timeout: float) -> None: ...

    def close(self, timeout: float) -> None: ...


class Follower:
    """A tail that hands over what the broker has answered."""

    def __init__(self, take: Take, *, readable: bool) -> None:
        self.take = take
        self.positioned = threading.Event()
        self.stopped = False
        self._readable = readable

    @property
    def standing(self) -> Standing:
        return Standing(None, None if self._readable else "nobody is there")

    def start(self) -> None:
        if self._readable:
            self.positioned.set()

    def stop(self) -> None:
        self.stopped = True


def predicted(id_: str) -> Raw:
    said = Prediction(id_, "k", 1.0, True, {"true": 1.0}, "small", 3, 0.5, 2, 7)
    return Raw(msgspec.json.encode(said), b"k", "predictions", 2, 9)


def gateway(broker: Broker | None = None, **events: Any) -> Gateway:
    broker = broker or Broker()
    return Gateway(small_config({"events": events} if events else None), broker.connect, broker.follow)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def ask(made: Gateway, row: Mapping[str, Any], seconds: float = 5.0) -> Answer:
    answer: Answer = run(made.ask(made.read(msgspec.json.encode(row)), seconds))
    return answer


def test_an_event_is_produced_as_it_came_and_keyed_by_its_key() -> None:
    body = b'{"id": "e1", "x":  1.50, "key": "UA1545", "extra": null}'

    asked = gateway().read(body)

    assert asked == ("e1", Outgoing("events", b"UA1545", body, []), None)


def test_an_event_without_a_key_is_keyed_by_its_id() -> None:
    assert gateway().read(b'{"id": 12, "x": 1}').record.key == b"12"
    assert gateway().read(b'{"id": 12, "x": 1, "key": null}').record.key == b"12"


def test_an_event_without_an_id_gets_one_of_its_own() -> None:
    made = gateway()

    one, other = (made.read(b'{"x": 1.5}') for _ in range(2))

    assert one.id != other.id
    assert msgspec.json.decode(one.record.value or b"") == {"x": 1.5, "id": one.id}


def test_an_id_is_put_where_the_configuration_has_it() -> None:
    asked = gateway(id="meta.id").read(b'{"x": 1.5, "meta": {"from": "here"}}')

    assert msgspec.json.decode(asked.record.value or b"")["meta"] == {"from": "here", "id": asked.id}


@pytest.mark.parametrize(
    ("body", "reason", "message"),
    [
        (b'{"id": "e1", "x": "late"}', "wrong_type", "feature 'x' is \"late\"; expected a number."),
        (b'{"id": {}, "x": 1}', "wrong_type", "id 'id' is an object; expected"),
        (b"[1]", "wrong_type", "the record is JSON, but not an object; expected an object."),
        (b'{"id": "e1"', "malformed_json", "the record is not valid JSON"),
        (b"\xff", "malformed_json", "the record is not"),
        (b'{"id": ' + b"[" * 100_000, "malformed_json", "the record is nested too deeply"),
        (b"", "empty_value", "the record has no value; expected a JSON object."),
        (b'{"id": "e1", "key": 7}', "bad_key", "'key' is the record's key; expected text"),
        (b'{"id": "e1", "key": "k", "other": 1e400}', "malformed_json", "a field that is not declared holds"),
        (b'{"id": "e1", "key": ""}', "bad_key", "'key' is the record's key; expected text"),
        (b'{"id": "e1", "x": ' + b" " * PRODUCER_MAX_BYTES + b"1}", "too_large", "expected at most 1,000,000"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason_that_a_dead_letter_would_have(
    body: bytes, reason: str, message: str
) -> None:
    with pytest.raises(NotAnEvent) as refused:
        gateway().read(body)

    assert refused.value.reason == reason
    assert message in refused.value.message
    assert "@" not in refused.value.message


def test_who_asks_is_given_the_prediction_as_it_stands_on_the_topic() -> None:
    broker = Broker()

    answer = ask(gateway(broker), {"id": "e1", "x": 1.5})

    assert answer == Answer(predicted("e1").value or b"", 2, 9)
    assert [record.key for record in broker.produced] == [b"e1"]


NOW = 1_800_000_000.0
OLD, NEW = NOW - 86_400, NOW - 60


@pytest.mark.parametrize(
    ("own", "reached", "at"),
    [(OLD, OLD + 7, OLD + 7), (OLD, NEW, None), (OLD, None, None), (NEW, OLD, None), (None, OLD, None)],
    ids=["of a replay", "late on a live stream", "before any other", "after a silence", "says no time"],
)
def test_only_an_event_of_a_replay_is_of_the_streams_time_and_not_of_the_moment(
    own: float | None, reached: float | None, at: float | None
) -> None:
    broker = Broker()
    config = small_config({"events": {} if own is None else {"time": "ts", "time_unit": "s"}})
    made = Gateway(config, broker.connect, broker.follow, lambda: reached, lambda: NOW)

    ask(made, {"id": "e1", "x": 1.5, "ts": own})

    assert [record.at for record in broker.produced] == [None if at is None else at * 1000]


def test_the_same_prediction_told_twice_answers_once() -> None:
    assert ask(gateway(Broker(answers=2)), {"id": "e1", "x": 1.5}).value == predicted("e1").value


def test_one_tail_and_one_producer_serve_all_that_ask() -> None:
    broker = Broker()
    made = gateway(broker)

    async def ask_twenty() -> list[Answer]:
        return await asyncio.gather(*(made.ask(made.read(b'{"id": "e%d", "x": 1}' % n), 5.0) for n in range(20)))

    answers = run(ask_twenty())

    assert [msgspec.json.decode(one.value)["id"] for one in answers] == [f"e{n}" for n in range(20)]
    assert (len(broker.tails), broker.connected) == (1, 1)


def test_while_the_broker_is_waited_for_the_event_loop_goes_on() -> None:
    asked, goes_on = threading.Event(), threading.Event()

    class Slow(Broker):
        def connect(self) -> Broker:
            asked.set()
            assert goes_on.wait(2.0)
            return super().connect()

    made = gateway(Slow())

    async def ask_meanwhile() -> list[Answer]:
        first = asyncio.create_task(made.ask(made.read(b'{"id": "e1", "x": 1}'), 5.0))
        await asyncio.to_thread(asked.wait, 5.0)
        second = asyncio.create_task(made.ask(made.read(b'{"id": "e2", "x": 1}'), 5.0))
        await asyncio.sleep(0.0)
        goes_on.set()
        return [await first, await second]

    assert [one.offset for one in run(ask_meanwhile())] == [9, 9]


def test_two_that_ask_for_one_id_are_both_given_its_prediction() -> None:
    class AnswersBoth(Broker):
        def flush(self, timeout: float) -> None:
            if len(self.produced) == 2:
                self.tails[0].take([predicted("e1")])

    made = gateway(AnswersBoth(answers=0))

    async def ask_twice() -> list[Answer]:
        return await asyncio.gather(*(made.ask(made.read(b'{"id": "e1", "x": 1}'), 5.0) for _ in range(2)))

    assert [one.offset for one in run(ask_twice())] == [9, 9]


def test_who_waits_in_vain_is_told_the_id_to_ask_for_later() -> None:
    made = gateway(Broker(answers=0))

    with pytest.raises(TookTooLong, match=r"'e1' was produced; no prediction of it has come within 0\.01 s") as late:
        ask(made, {"id": "e1", "x": 1}, 0.01)

    assert "GET /v1/predictions/e1" in (late.value.cure or "")


def test_no_more_wait_than_there_is_room_for_and_room_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    made = gateway(Broker(answers=0))

    async def ask_thrice() -> list[BaseException | Answer]:
        asks = (made.ask(made.read(b'{"id": "e1", "x": 1}'), 0.01) for _ in range(3))
        return await asyncio.gather(*asks, return_exceptions=True)

    assert [type(one) for one in run(ask_thrice())] == [TookTooLong, TookTooLong, TooMany]
    assert [type(one) for one in run(ask_thrice())] == [TookTooLong, TookTooLong, TooMany]


def test_an_event_that_kafka_does_not_take_is_an_error_and_the_next_gets_a_new_producer() -> None:
    broker = Broker(error=OSError("gone"))
    made = gateway(broker)

    with pytest.raises(BrokerError, match="could not be produced: gone"):
        ask(made, {"id": "e1", "x": 1})
    broker.error = None

    assert ask(made, {"id": "e1", "x": 1}).offset == 9
    assert broker.connected == 2


def test_nothing_is_produced_while_the_answer_could_not_be_read() -> None:
    broker = Broker(readable=False)

    with pytest.raises(BrokerError, match="was not produced: the predictions cannot be read: nobody is there"):
        ask(gateway(broker), {"id": "e1", "x": 1}, 0.01)

    assert broker.produced == []


def test_the_topic_is_let_go_of_when_nobody_has_asked_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[Callable[[], None]] = []

    class Timer(threading.Timer):
        def start(self) -> None:
            timers.append(self.function)

    monkeypatch.setattr(threading, "Timer", Timer)
    broker = Broker()
    made = gateway(broker)
    ask(made, {"id": "e1", "x": 1})
    ask(made, {"id": "e2", "x": 1})
    assert [tail.stopped for tail in broker.tails] == [False]

    timers[-1]()
    assert [tail.stopped for tail in broker.tails] == [True]

    assert ask(made, {"id": "e3", "x": 1}).offset == 9
    assert len(broker.tails) == 2


def test_closing_lets_go_of_everything() -> None:
    broker = Broker()
    made = gateway(broker)
    ask(made, {"id": "e1", "x": 1})

    made.close()

    assert [tail.stopped for tail in broker.tails] == [True]
