from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import msgspec
import pytest

from stream.records import Alert
from stream.testing import small_config
from stream.web.feeds.headlines import Headlines
from stream.webhooks.bodies import body_for
from tests.unit.webhooks.alerts import NOW, drift, ended, swap

HEADLINES = Headlines(small_config())
TOLD = (
    "The model's error rate rose from 8% to 21% since 14 November, 21:56 UTC; by chance once in 1 million events; "
    "a challenger was started."
)


def slack(alert: Alert) -> Any:
    return json.loads(body_for("slack")(alert, "shop", HEADLINES.headline(alert), NOW))


def alertmanager(alert: Alert) -> Any:
    (posted,) = json.loads(body_for("alertmanager")(alert, "shop", HEADLINES.headline(alert), NOW))
    return posted


def seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def test_slack_gets_a_line_and_blocks_with_the_evidence() -> None:
    assert slack(drift()) == {
        "text": f"shop: critical, concept drift. {TOLD}",
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": ":red_circle: shop: critical, concept drift", "emoji": True},
            },
            {"type": "section", "text": {"type": "mrkdwn", "text": TOLD}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "*Change*\nworse 0.08 -&gt; 0.21"}},
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": "*Evidence*\nsince 2023-11-14 21:56, statistic 5.5 over 3, by chance once in "
                    "1 million events",
                },
            },
            {"type": "section", "text": {"type": "mrkdwn", "text": "*With it*\namount &lt;usd&gt; x1.4"}},
            {
                "type": "context",
                "elements": [
                    {
                        "type": "mrkdwn",
                        "text": "2023-11-14 22:13 UTC, shop, fraud version 7, partition 3 at offset 81920, "
                        "alert a1b2c3d4e5f60718",
                    }
                ],
            },
        ],
    }


def test_slack_is_told_that_a_drift_is_over() -> None:
    posted = slack(ended())

    assert posted["text"] == (
        "shop: recovered, concept drift. The model's error rate changed; it recovered after 50 min."
    )
    assert posted["blocks"][0]["text"]["text"].startswith(":large_green_circle:")


def test_slack_is_told_of_a_swap() -> None:
    assert slack(swap())["text"] == (
        "shop: info, model swap. Version 8 took over from version 7 (it proved better), on 14 November, 22:30 UTC."
    )


def test_nothing_that_comes_from_outside_can_mention_people_in_slack() -> None:
    posted = json.dumps(slack(drift(kind="data_drift", feature="<!channel>")))

    assert "&lt;!channel&gt;" in posted
    assert "<!channel>" not in posted


def test_slack_gets_no_text_longer_than_it_takes() -> None:
    posted = slack(drift(kind="data_drift", feature="x" * 5000))

    assert len(posted["text"]) == 3000
    assert max(len(block["text"]["text"]) for block in posted["blocks"][:-1]) == 3000


def test_alertmanager_gets_labels_annotations_and_times() -> None:
    assert alertmanager(drift()) == {
        "labels": {
            "alertname": "DriftlineConceptDrift",
            "app": "shop",
            "model": "fraud",
            "partition": "3",
            "kind": "concept_drift",
            "severity": "critical",
            "incident": "a1b2c3d4e5f60718",
        },
        "annotations": {
            "summary": TOLD,
            "description": "worse 0.08 -> 0.21, since 2023-11-14 21:56, statistic 5.5 over 3, by chance once in "
            "1 million events",
            "detector": "ddm",
            "with": "amount <usd> x1.4",
            "action": "challenger started",
            "model_version": "7",
            "offset": "81920",
            "statistic": "5.5",
            "threshold": "3",
            "alert": "a1b2c3d4e5f60718",
        },
        "startsAt": "2023-11-14T22:13:20.000+00:00",
        "endsAt": "2023-11-21T23:13:20.000+00:00",
    }


def test_the_end_of_a_drift_ends_the_very_alert_that_began_it() -> None:
    begun, over = alertmanager(drift()), alertmanager(ended())

    assert over["labels"] == begun["labels"]
    assert over["startsAt"] == begun["startsAt"]
    assert seconds(over["endsAt"]) == NOW


def test_a_swap_is_no_state_and_passes() -> None:
    assert seconds(alertmanager(swap())["endsAt"]) == NOW + 300


def test_a_stream_whose_times_are_yet_to_come_has_no_alert_that_begins_after_its_end() -> None:
    posted = alertmanager(ended().__class__(**{**msgspec.structs.asdict(ended()), "since": NOW + 1e6}))

    assert posted["startsAt"] == posted["endsAt"]


@pytest.mark.parametrize("alert", [drift(), ended(), swap()], ids=["drift", "ended", "swap"])
def test_plain_json_is_the_alert_as_it_is_on_its_topic(alert: Alert) -> None:
    assert msgspec.json.decode(body_for("json")(alert, "shop", "", NOW), type=Alert) == alert
