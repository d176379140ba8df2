from __future__ import annotations

from collections.abc import Sequence
from threading import Event as Flag

import msgspec
import pytest

from stream.records import Alert, RawRecord
from stream.telemetry import Telemetry
from stream.testing import Raw, small_config
from stream.webhooks import following
from stream.webhooks.following import Webhooks
from stream.webhooks.posting import Hook
from tests.unit.webhooks.alerts import drift

HOOKS = {"webhooks": [{"name": "oncall", "url": "https://example.test/hook"}]}


class Shared:
    """A topic that several services write their alerts to; `seen_to` once each record was committed."""

    def __init__(self, *records: Raw) -> None:
        self._coming = list(records)
        self.committed: list[int] = []
        self.seen_to = Flag()

    def poll(self, timeout: float) -> Sequence[RawRecord]:
        if self._coming:
            return [self._coming.pop(0)]
        self.seen_to.set()
        return []

    def commit(self, record: RawRecord) -> None:
        self.committed.append(record.offset)

    def close(self) -> None: ...


def written(offset: int, id_: str, source: str | None) -> Raw:
    headers = () if source is None else (("ce_source", source.encode()),)
    value = msgspec.json.encode(msgspec.structs.replace(drift(), id=id_))
    return Raw(value, b"fraud", "alerts", 0, offset, 0, headers)


def test_of_a_topic_that_services_share_only_their_own_alerts_are_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = small_config().app
    topic = Shared(
        written(0, "theirs", "/driftline/another/fraud/3"),
        written(1, "ours", f"/driftline/{app}/fraud/3"),
        written(2, "begins-alike", f"/driftline/{app}-2/fraud/3"),
        written(3, "nobody's", None),
    )
    posted: list[str] = []

    def post(hook: Hook, alert: Alert) -> bool:
        posted.append(alert.id)
        return True

    monkeypatch.setattr(following, "make_subscriber", lambda *_: topic)
    monkeypatch.setattr(Hook, "post", post)
    webhooks = Webhooks(small_config(HOOKS), Telemetry("fraud"))
    webhooks.start()
    assert topic.seen_to.wait(10.0)
    webhooks.stop()

    assert posted == ["ours", "nobody's"]
    assert topic.committed == [0, 1, 2, 3]
