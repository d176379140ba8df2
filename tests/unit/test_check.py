"""What `driftline check` says of a false-alarm budget, and of keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stream.cli.commands import app
from stream.preflight import readers
from stream.testing import small_config
from tests.unit.config.shop import SHOP

DETECTORS = """\
detectors:
  concept:
    - {kind: e_detector, segments: {by: country, most: 3}}
    - {kind: page_hinkley, run_length: 50000}
  data: [{kind: ks}, {kind: ks, name: all, features: [amount, age]}, {kind: chi_squared}]
  prediction: [{kind: conformal}]
  rejected: null
"""


def said(folder: Path, text: str, features: str = "") -> list[str]:
    """The lines after the first, each with its columns two spaces apart, of the shop with more text and features."""
    path = folder / "service.yaml"
    path.write_text(SHOP.replace("    country:", features + "    country:") + text)
    result = CliRunner().invoke(app, ["check", "-c", str(path)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("OK ")
    return ["  ".join(cell.strip() for cell in line.split("  ") if cell.strip()) for line in lines[1:]]


def test_check_says_what_a_budget_comes_to(tmp_path: Path) -> None:
    budget = "alarms: {expected_events_per_false_alarm: 1_000_000, weights: {ks/age: 3}}\n"

    heading, _, *rows = said(tmp_path, DETECTORS + budget)

    assert heading == "Budget: one false alarm in 1,000,000 events, over 7 streams of values:"
    assert rows[0] == "e_detector  errors, by country (up to 5 segments)  5,000,000  statistic 1e+07"
    assert rows[1] == "page_hinkley  errors  50,000  worked out from the values  outside the budget"
    assert [row.split("  ")[:3] for row in rows[2:5]] == [
        ["ks", "amount", "20,000,000"],
        ["ks", "age", "6,666,667"],
        ["all", "amount, age", "10,000,000"],
    ]
    assert all("  statistic 0.1" in row for row in rows[2:5])
    assert rows[6].startswith("conformal  score of predictions  5,000,000  statistic 1e+07")


@pytest.mark.parametrize(
    ("policy", "least", "told"),
    [("keep_learning", 0.1, True), ("keep_learning", 0.2, False), ("alert_only", 0.1, False)],
)
def test_check_says_that_a_model_moves_its_own_scores_as_it_learns(
    tmp_path: Path, policy: str, least: float, told: bool
) -> None:
    watched = f"detectors: {{prediction: [{{kind: ks, min_effect: {least}}}]}}\nadaptation: {{policy: {policy}}}\n"

    rows = said(tmp_path, watched + "alarms: {expected_events_per_false_alarm: 1_000_000}\n")[2:]

    assert rows[0].endswith("alarms at what the model learns, too") == told


def test_check_says_how_many_alarms_a_week_that_is(tmp_path: Path) -> None:
    budget = "alarms: {false_alarms_per_week: 2, expected_events_per_second: 20}\n"

    assert said(tmp_path, DETECTORS + budget)[0] == (
        "Budget: one false alarm in 6,048,000 events, 2 a week, over 7 streams of values:"
    )


def test_check_says_that_there_is_no_budget(tmp_path: Path) -> None:
    heading, _, *rows = said(tmp_path, DETECTORS)

    assert heading == "No false-alarm budget (alarms): each detector is as its own section says."
    assert rows[0] == "e_detector  errors, by country (up to 5 segments)  100,000  statistic 2e+05"
    assert "outside the budget" not in "".join(rows)


def test_check_says_what_records_rejected_and_features_taken_together_come_to(tmp_path: Path) -> None:
    budget = "alarms: {expected_events_per_false_alarm: 1_000_000}\n"
    more = "    weight: {type: number}\n    height: {type: number}\n"
    detectors = "detectors: {data: [{kind: ks}, {kind: multivariate, features: [amount, age]}]}\n"

    rows = said(tmp_path, detectors + budget, more)[2:]

    assert [row.split("  ")[:3] for row in rows] == [
        ["ks", "4 features", "12,000,000"],
        ["multivariate", "amount, age together", "3,000,000"],
        ["rejected", "rejected records of events and labels", "6,000,000"],
    ]
    assert rows[2].endswith("  statistic 6e+06")


def test_check_is_silent_about_detectors_where_nobody_has_chosen_any(tmp_path: Path) -> None:
    assert said(tmp_path, "") == []


def checked(folder: Path, security: str) -> tuple[int, list[str]]:
    """Exit code and lines, for the shop with this section."""
    path = folder / "service.yaml"
    path.write_text(SHOP + security)
    result = CliRunner().invoke(app, ["check", "-c", str(path)])
    return result.exit_code, result.output.splitlines()


def test_check_names_every_key_that_is_missing_or_malformed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_KEY", raising=False)
    monkeypatch.setenv("SHOP_AES", "not hexadecimal")
    accepted = f"{{k0: {{file: {tmp_path / 'gone'}}}}}"
    keys = f"{{signing_key: {{env: SHOP_KEY}}, accepted_keys: {accepted}, encryption: {{key: {{env: SHOP_AES}}}}}}"

    code, lines = checked(tmp_path, f"security: {keys}\n")

    told = " ".join(line.strip() for line in lines)
    assert code == 1
    assert "the environment variable SHOP_KEY is not set" in told
    assert f"there is no file {tmp_path / 'gone'}" in told
    assert "security.encryption.key: the key has 15 characters" in told
    assert lines[-1] == "3 of 3 not well."
    assert "not hexadecimal" not in told


def test_check_says_that_keys_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "k" * 32)

    code, (first, key) = checked(tmp_path, "security: {signing_key: {env: SHOP_KEY}}\n")

    assert (code, first[:3], key.strip()) == (0, "OK ", "✓ signing key k1 is there")


def test_check_without_a_connection_asks_for_no_key_that_the_file_does_not_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRIFTLINE_SIGNING_KEY", raising=False)

    assert checked(tmp_path, "")[0] == 0


HOOK = "webhooks: [{name: oncall, url: {env: SHOP_HOOK}, secret: {file: gone}}]\n"


def test_check_says_which_secrets_of_webhooks_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_HOOK", raising=False)

    code, lines = checked(tmp_path, HOOK)

    assert (code, [line.strip() for line in lines[1:]]) == (
        1,
        [
            "✗ webhooks[0].url: the environment variable SHOP_HOOK is not set.",
            "Set SHOP_HOOK.",
            "✗ webhooks[0].secret: there is no file gone.",
            "Create it, or correct the path.",
            "2 of 2 not well.",
        ],
    )


def test_check_says_that_secrets_of_webhooks_are_there_and_shows_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_HOOK", "https://example.test/hunter2")
    Path("gone").write_text("hunter2")

    code, lines = checked(tmp_path, HOOK)

    assert (code, [line.strip() for line in lines[1:]]) == (
        0,
        ["✓ webhooks[0].url is there", "✓ webhooks[0].secret is there"],
    )


@pytest.mark.parametrize(
    ("http", "told"),
    [
        ("tls: {cert_file: gone, key_file: k}", "http.tls.cert_file: gone cannot be read: No such file or directory."),
        ("tls: {cert_file: service.yaml, key_file: service.yaml}", "http.tls: service.yaml and service.yaml are no"),
        ("auth: {tokens_file: gone}", "http.auth.tokens_file: gone cannot be read: No such file or directory."),
        (
            "auth: {jwt: {issuer: i, audience: a, keys: gone, roles: {r: viewer}}}",
            "http.auth.jwt.keys: gone cannot be read: No such file or directory.",
        ),
        (
            "auth: {jwt: {issuer: 'http://id.example', audience: a, roles: {r: viewer}}}",
            "http.auth.jwt.issuer: 'http://id.example' is no https address.",
        ),
    ],
    ids=["certificate missing", "no certificate", "tokens", "keys", "plain"],
)
def test_check_says_what_the_page_and_the_api_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, http: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)

    code, lines = checked(tmp_path, f"http: {{{http}}}\n")

    assert code == 1
    assert lines[1].strip().startswith(f"✗ {told}")
    assert lines[2].strip() != ""
    assert lines[-1] == "1 of 1 not well."


@pytest.mark.parametrize(
    ("more", "alerts", "others"),
    [
        ({}, ["the page and the API"], ["the page and the API"]),
        ({"webhooks": [{"name": "h", "url": "http://h.test"}]}, ["the page and the API", "webhooks"], None),
        ({"http": {"auth": {"everybody": None}}}, [], []),
    ],
    ids=["page", "webhooks too", "nobody"],
)
def test_who_reads_what_the_service_writes_follows_from_the_configuration(
    more: dict[str, Any], alerts: list[str], others: list[str] | None
) -> None:
    config = small_config(more)
    found = readers(config)

    assert found[config.topics.alerts] == alerts
    for topic in (config.topics.predictions, config.topics.dead_letters):
        assert found[topic] == (others if others is not None else alerts[:1])
