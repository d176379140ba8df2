"""Whether labels come, and how late."""

from __future__ import annotations

from boards.panels import BARS, YES, Dashboard, Panel, Row
from boards.shared import RECORDS

LABELS = Dashboard(
    "driftline-labels",
    "Driftline: labels",
    (
        Row(
            "Do they come?",
            (
                Panel(
                    "Labels a second",
                    "By how they ended.",
                    {"{{outcome}}": RECORDS % "labels"},
                ),
                Panel(
                    "Share of events that get one",
                    "As has been usual.",
                    {"{{partition}}": "max by (partition) (driftline_label_join_rate)"},
                    "percentunit",
                ),
                Panel(
                    "How late",
                    "Time from an event to its label, as has been usual; the slowest partition.",
                    {"{{quantile}}": "max by (quantile) (driftline_label_delay_seconds)"},
                    "s",
                ),
            ),
        ),
        Row(
            "What is missing",
            (
                Panel(
                    "Stopped",
                    "Far fewer labels come than usual.",
                    {"{{partition}}": "max by (partition) (driftline_label_starvation)"},
                    look=YES,
                ),
                Panel(
                    "Classes that have vanished",
                    "Whose labels have stopped coming, or never came.",
                    {"{{partition}}": "max by (partition) (driftline_vanished_classes)"},
                ),
                Panel(
                    "Predictions that gave up waiting",
                    "Their label never came in time.",
                    {"": "sum(increase(driftline_predictions_expired_total[$__rate_interval]))"},
                    look=BARS,
                ),
            ),
        ),
        Row(
            "What waits",
            (
                Panel(
                    "Predictions",
                    "That wait for their label.",
                    {"{{partition}}": "sum by (partition) (driftline_pending_labels)"},
                ),
                Panel(
                    "Labels",
                    "That wait for their event.",
                    {"{{partition}}": "sum by (partition) (driftline_held_labels)"},
                ),
                Panel(
                    "Lag of the labels topic",
                    "Records that no worker has taken yet.",
                    {"{{partition}}": 'sum by (partition) (driftline_lag_records{topic="labels"})'},
                ),
            ),
        ),
    ),
)
