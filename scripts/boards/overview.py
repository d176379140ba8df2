"""The first dashboard: is all well, and if not, where."""

from __future__ import annotations

from boards.panels import UP, Dashboard, Panel, Row, marked, stat
from boards.shared import CONCEPT, DATA, JOINED, LAG, LATENCY, OPEN, PREDICTED, SCORES, SERVING, TOLD, WAITING

OVERVIEW = Dashboard(
    "driftline",
    "Driftline",
    (
        Row(
            "Now",
            (
                SERVING,
                stat("Predictions per second", "Events that were predicted.", {"": PREDICTED}, "short", 3),
                stat("Labels per second", "Labels that found their event.", {"": JOINED}, "short", 3),
                stat("Lag", "Records that no worker has taken yet.", {"": "sum(driftline_lag_records)"}, "short", 3),
                stat(
                    "Latency, 99 of 100",
                    "From the event in hand to its prediction.",
                    {"": LATENCY["99% below"]},
                    "s",
                    3,
                ),
                stat("Open drifts", "Told and not over.", {"": "sum(driftline_open_drifts)"}, "short", 3),
                stat(
                    "Kafka and Redis",
                    "Whether both answer every worker.",
                    {"Kafka": "min(driftline_kafka_up)", "Redis": "min(driftline_redis_up)"},
                    width=5,
                )._replace(look=UP),
            ),
        ),
        Row("How good are the predictions?", (SCORES, TOLD)),
        Row("Has the world changed?", (CONCEPT, DATA)),
        Row(
            "Does the work get done?",
            (
                Panel(
                    "Throughput",
                    "Events predicted and labels joined a second.",
                    {"events": PREDICTED, "labels": JOINED},
                    "short",
                ),
                LAG,
                Panel("Prediction latency", "From the event in hand to its prediction made.", LATENCY, "s"),
            ),
        ),
        Row(
            "Is the promise kept?",
            (
                Panel(
                    "Events without a prediction in time",
                    "Dead letters, and predictions that took longer than a second, as a share; 0.1 % is the budget.",
                    {
                        "": "1 - sum(rate(driftline_prediction_latency_seconds_bucket"
                        '{le="1.0"}[$__rate_interval])) / sum(rate(driftline_records_total'
                        '{topic="events",outcome=~"predicted|dead_lettered"}[$__rate_interval]))'
                    },
                    "percentunit",
                    look=marked((None, "green"), (0.001, "red")),
                ),
                OPEN,
                WAITING,
            ),
        ),
    ),
)
