"""docs/troubleshooting.md has an entry for whatever a person may come with: alerts, log lines, errors, dead letters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream import errors
from stream.embedded.errors import EmbeddedError
from stream.refusal import REASONS
from stream.telemetry import Telemetry
from tests.docs.pages import PAGES, ROOT, anchors_of, name_of

PAGE = ROOT / "docs" / "troubleshooting.md"
TEXT = PAGE.read_text(encoding="utf-8")
RULES = sorted(set(re.findall(r"- alert: (\w+)", (ROOT / "configs/prometheus/rules/driftline.yml").read_text())))
_SAID = re.compile(r'(?:log\.(?:warning|error|exception)|_complain)\(\s*"(\w+)"')
EVENTS = sorted(
    {event for file in (ROOT / "stream").rglob("*.py") for event in _SAID.findall(file.read_text(encoding="utf-8"))}
)
CLASSES = ("ConfigError", "DataError", "ModelError", "BrokerError", "StoreError", EmbeddedError.__name__)


@pytest.mark.parametrize("rule", RULES)
def test_each_alert_rule_has_an_entry_under_its_name(rule: str) -> None:
    assert rule.lower() in anchors_of(PAGE)


@pytest.mark.parametrize("event", EVENTS)
def test_each_warning_and_error_in_the_log_has_a_row(event: str) -> None:
    table = TEXT.split("## Lines in the log")[1]

    assert f"`{event}`" in table


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_of_a_dead_letter_has_a_row(reason: str) -> None:
    assert f"| `{reason}` |" in TEXT


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_of_errors_has_a_part(name: str) -> None:
    assert re.search(rf"^### {name}\b", TEXT, re.MULTILINE)


def test_no_class_of_errors_is_forgotten() -> None:
    known = {error.__name__ for error in errors.DriftlineError.__subclasses__() if error.__module__ == "stream.errors"}
    # What only callers of the API meet is told by its answers: docs/api.md.
    known |= {
        e.__name__ for e in errors.InfrastructureError.__subclasses__() if not e.__module__.startswith("stream.web")
    }

    assert known - {"InfrastructureError"} <= set(CLASSES)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_metric_that_a_page_names_is_one_that_there_is(page: Path) -> None:
    rendered = Telemetry("m").render()[0].decode()
    there = set(re.findall(r"^# TYPE (\w+) ", rendered, re.MULTILINE))
    named = set(re.findall(r"\bdriftline_[a-z_]+[a-z]\b", page.read_text(encoding="utf-8")))

    assert {name for name in named if re.sub(r"_(bucket|count|sum)$", "", name) not in there} == set()
