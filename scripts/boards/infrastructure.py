"""Records, time, snapshots and workers."""

from __future__ import annotations

from boards.panels import BARS, UP, Dashboard, Panel, Row, marked
from boards.shared import LAG, LATENCY, RECORDS

INFRASTRUCTURE = Dashboard(
    "driftline-infrastructure",
    "Driftline: infrastructure",
    (
        Row(
            "Where did every record end?",
            (
                Panel(
                    "Events",
                    "A second, by how they ended.",
                    {"{{outcome}}": RECORDS % "events"},
                ),
                Panel(
                    "Dead letters",
                    "A second, by reason.",
                    {"{{reason}}": "sum by (reason) (rate(driftline_dead_letters_total[$__rate_interval]))"},
                ),
                LAG,
            ),
        ),
        Row(
            "Where does the time go?",
            (
                Panel("Prediction latency", "From the event in hand to its prediction made.", LATENCY, "s"),
                Panel(
                    "Time per span",
                    "Mean time that a span takes in each stage; commits go on beside the others.",
                    {
                        "{{stage}}": "sum by (stage) (rate(driftline_span_seconds_sum[$__rate_interval])) / "
                        "sum by (stage) (rate(driftline_span_seconds_count[$__rate_interval]))"
                    },
                    "s",
                ),
                Panel(
                    "Slowest commits",
                    "What 99 of 100 spans stay below in each stage.",
                    {
                        "{{stage}}": "histogram_quantile(0.99, sum by (le, stage) "
                        "(rate(driftline_span_seconds_bucket[$__rate_interval])))"
                    },
                    "s",
                ),
            ),
        ),
        Row(
            "Can it resume?",
            (
                Panel(
                    "Age of the newest snapshot",
                    "By partition.",
                    {"{{partition}}": "time() - max by (partition) (driftline_snapshot_timestamp_seconds)"},
                    "s",
                    look=marked((None, "green"), (900, "red")),
                ),
                Panel(
                    "Size of the newest snapshot",
                    "By partition.",
                    {"{{partition}}": "max by (partition) (driftline_snapshot_bytes)"},
                    "bytes",
                ),
                Panel(
                    "What went wrong",
                    "Snapshots not stored, records missing at a resume, commits refused, points of the history lost.",
                    {
                        "snapshots not stored": "sum(increase(driftline_snapshot_failures_total[$__rate_interval]))",
                        "records missing": "sum(increase(driftline_resume_gap_records_total[$__rate_interval]))",
                        "points of the history": "sum(increase(driftline_history_dropped_total[$__rate_interval]))",
                        "fenced": "sum(increase(driftline_fenced_total[$__rate_interval]))",
                    },
                    look=BARS,
                ),
            ),
        ),
        Row(
            "Workers",
            (
                Panel(
                    "Kafka and Redis",
                    "Whether they answer.",
                    {
                        "Kafka {{instance}}": "min by (instance) (driftline_kafka_up)",
                        "Redis {{instance}}": "min by (instance) (driftline_redis_up)",
                    },
                    look=UP,
                ),
                Panel(
                    "Since the loop turned",
                    "Time since a worker last reported that it works; above a minute it stands still.",
                    {"{{instance}}": "time() - max by (instance) (driftline_loop_timestamp_seconds)"},
                    "s",
                    look=marked((None, "green"), (60, "red")),
                ),
                Panel(
                    "Webhooks",
                    "Attempts to post an alert, by how they ended.",
                    {
                        "{{hook}} {{outcome}}": "sum by (hook, outcome) "
                        "(increase(driftline_webhook_deliveries_total[$__rate_interval]))"
                    },
                    look=BARS,
                ),
                Panel(
                    "Rebalances",
                    "Times that partitions were assigned or revoked.",
                    {"{{instance}}": "sum by (instance) (increase(driftline_rebalances_total[$__rate_interval]))"},
                    look=BARS,
                ),
                Panel("Memory", "Of each worker.", {"{{instance}}": "process_resident_memory_bytes"}, "bytes"),
                Panel(
                    "CPU",
                    "Cores that each worker uses.",
                    {"{{instance}}": "rate(process_cpu_seconds_total[$__rate_interval])"},
                ),
                Panel(
                    "Open files",
                    "Of each worker, as a share of what it may have open.",
                    {"{{instance}}": "process_open_fds / process_max_fds"},
                    "percentunit",
                ),
            ),
        ),
    ),
)
