"""docs/monitoring.md keeps its word: metrics, rules, settings and the check of a signature are those of the code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from stream.config.load import load
from stream.telemetry import Telemetry
from stream.webhooks.signing import HEADER, signature

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return re.split(r"^##+ ", PAGE.split(f"# {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def block(title: str, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", section(title), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_table_has_every_metric_as_the_service_tells_it() -> None:
    rows = [
        f"| `{one.name}{'{' + ','.join(one.labels) + '}' if one.labels else ''}` | {one.kind} | {one.text} |"
        for one in sorted(Telemetry("model").catalogue())
    ]

    assert section("Metrics").split("|---|---|---|\n")[1].split("\n\n")[0].splitlines() == rows


def test_the_table_has_every_alert_with_its_severities() -> None:
    groups = yaml.safe_load((ROOT / "configs/prometheus/rules/driftline.yml").read_text())["groups"]
    rules: dict[str, list[str]] = {}
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        rules.setdefault(rule["alert"], []).append(rule["labels"]["severity"])
    told = re.findall(r"^\| `(Driftline\w+)` \| .* \| ([a-z, ]+) \|$", section("Rules"), re.MULTILINE)

    assert {name: severities.split(", ") for name, severities in told} == rules


def test_the_configurations_can_be_used(tmp_path: Path) -> None:
    service = yaml.safe_load((ROOT / "configs/fraud.yaml").read_text())
    for title in ("Webhooks", "Traces"):
        service |= yaml.safe_load(block(title, "yaml"))
    file = tmp_path / "service.yaml"
    file.write_text(yaml.safe_dump(service))

    config = load(file, {})
    assert [hook.format for hook in config.webhooks] == ["slack", "alertmanager", "json"]
    assert config.tracing is not None


def test_a_signature_is_verified_as_the_page_says() -> None:
    known: dict[str, Any] = {"__name__": "verify"}
    exec(block("Verifying a signature", "python"), known)
    is_ours: Callable[[str, bytes, str, float], bool] = known["is_ours"]
    header = signature("of both", b"{}", 1_700_000_000)

    assert HEADER in section("Verifying a signature")
    assert is_ours(header, b"{}", "of both", 1_700_000_010.0)
    assert not is_ours(header, b"{ }", "of both", 1_700_000_010.0)
    assert not is_ours(header, b"{}", "of another", 1_700_000_010.0)
    assert not is_ours(header, b"{}", "of both", 1_700_000_400.0)
    assert not is_ours(header.replace("t=17", "t=18"), b"{}", "of both", 1_800_000_000.0)
