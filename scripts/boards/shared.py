"""Panels that stand on more than one dashboard."""

from __future__ import annotations

from boards.panels import BARS, Panel, marked, quantiles, stat

SERVING = stat(
    "Serving",
    "The model version that stamps predictions.",
    {"{{model}} v{{version}}": "max by (model, version) (driftline_model_info)"},
)._replace(mode="name")
LATENCY = quantiles("driftline_prediction_latency_seconds")
PREDICTED = 'sum(rate(driftline_records_total{topic="events",outcome="predicted"}[$__rate_interval]))'
JOINED = 'sum(rate(driftline_records_total{topic="labels",outcome="joined"}[$__rate_interval]))'
RECORDS = 'sum by (outcome) (rate(driftline_records_total{topic="%s"}[$__rate_interval]))'
"""Of a topic, by how they ended."""
SCORES = Panel(
    "Scores of the champion and of the baselines",
    "Over the window of newest labels: predict, then score when the label comes, then learn.",
    {"{{source}} {{metric}}": 'avg by (source, metric) (driftline_score{metric=~"$metric"})'},
    width=16,
    height=9,
)
TOLD = Panel(
    "Alerts and swaps",
    "What was told, and what was done about it.",
    {
        "{{kind}}": "sum by (kind) (increase(driftline_alerts_total[$__rate_interval])) > 0",
        "swap: {{reason}}": "sum by (reason) (increase(driftline_swaps_total[$__rate_interval])) > 0",
    },
    height=9,
    look=BARS,
)
OPEN = Panel(
    "Open drifts",
    "Drifts that were told and are not over, over all partitions.",
    {"{{kind}}": "sum by (kind) (driftline_open_drifts)"},
    look={"custom": {"lineInterpolation": "stepAfter", "fillOpacity": 20}, "decimals": 0},
)
RATIOS = marked((None, "green"), (1, "red"))
CONCEPT = Panel(
    "Concept detectors",
    "Statistic of the model's errors as a share of its threshold: 1 is an alarm. The worst partition.",
    {
        "{{detector}}": "max by (detector) ("
        'driftline_detector_statistic{feature=""} / (driftline_detector_threshold{feature=""} > 0))'
    },
    width=12,
    height=9,
    look=RATIOS,
)
DATA = Panel(
    "Data detectors: the ten features that changed most",
    "Statistic as a share of its threshold: 1 is an alarm. The worst partition.",
    {
        "{{detector}} {{feature}}": "topk(10, max by (detector, feature) ("
        'driftline_detector_statistic{feature!=""} / (driftline_detector_threshold{feature!=""} > 0)))'
    },
    width=12,
    height=9,
    look=RATIOS,
)
LAG = Panel(
    "Lag",
    "Records on the input topics that no worker has taken yet.",
    {"{{topic}} {{partition}}": "sum by (topic, partition) (driftline_lag_records)"},
)
WAITING = Panel(
    "What waits",
    "Predictions that wait for their label, and labels that wait for their event.",
    {"predictions": "sum(driftline_pending_labels)", "labels": "sum(driftline_held_labels)"},
)
