"""What has changed, and how sure that is."""

from __future__ import annotations

from boards.panels import BARS, STATES, Dashboard, Panel, Row, table
from boards.shared import CONCEPT, DATA, OPEN, TOLD

DRIFT = Dashboard(
    "driftline-drift",
    "Driftline: drift",
    (
        Row(
            "What is open, and what was told",
            (
                OPEN,
                TOLD._replace(height=8),
                Panel(
                    "Drifts that are over",
                    "Recovered: as it was before. Settled: the new level is what is usual now.",
                    {
                        "{{kind}} {{state}}": "sum by (kind, state) "
                        "(increase(driftline_drifts_over_total[$__rate_interval]))"
                    },
                    look=BARS,
                ),
            ),
        ),
        Row("Statistic over threshold", (CONCEPT, DATA)),
        Row(
            "Each detector",
            (
                table(
                    "States",
                    "Of each detector and feature, the worst partition.",
                    "max by (detector, feature) (driftline_detector_state)",
                )._replace(look=STATES),
                table(
                    "Statistic over threshold, by partition",
                    "The fifty highest. A feature that stands in one partition only changed for its keys only.",
                    "topk(50, max by (detector, feature, partition) ("
                    "driftline_detector_statistic / (driftline_detector_threshold > 0)))",
                ),
            ),
        ),
        Row(
            "Can the alarms be relied on?",
            (
                Panel(
                    "Dependence of errors",
                    "How many errors say as much as one independent error would: 1 is best, more means false alarms.",
                    {"{{detector}} {{partition}}": "max by (detector, partition) (driftline_errors_dependence)"},
                    width=12,
                ),
                Panel(
                    "Dependence of features",
                    "The same of the values of features: the ten that depend most on those before them.",
                    {"{{feature}}": "topk(10, max by (feature) (driftline_features_dependence))"},
                    width=12,
                ),
            ),
        ),
    ),
)
