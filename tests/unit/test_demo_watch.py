"""What the demo makes of records that it did not write itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stream.demo import watch
from stream.demo.picture import Picture, Stretch
from stream.demo.watch import Watch
from stream.embedded.ports import free_port
from stream.testing import Raw, small_config

JUNE = 1_371_202_200.0


class Topics:
    """Hands over its records, all at once."""

    def __init__(self, *records: Raw) -> None:
        self._records = list(records)

    def poll(self, seconds: float) -> Iterator[Raw]:
        while self._records:
            yield self._records.pop(0)

    def size(self, topic: str) -> int:
        return 0


def label(value: bytes | None) -> Raw:
    return Raw(value, b"k", "labels", timestamp=round(JUNE * 1000))


def test_a_label_that_somebody_else_wrote_and_that_is_none_does_not_end_the_demo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odd = (b"not json", b"\xff", None, b"{}", b"[1]", b'{"label": 7}')
    topics = Topics(*map(label, odd), label(b'{"id": "f1", "label": true}'))
    monkeypatch.setattr(watch, "Reader", lambda *asked: topics)
    picture = Picture(Stretch(JUNE - 1, JUNE + 1, None))

    Watch(small_config(), free_port(), picture).turn(0.01)

    assert [(month.labels, month.late) for month in picture.months.values()] == [(1, 1)]
