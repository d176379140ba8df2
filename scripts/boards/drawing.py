"""Dashboards as Grafana reads them."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable
from typing import Final

from boards.panels import Dashboard, Json, Panel, Row
from stream.telemetry import Telemetry

SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}

WITHOUT_TIME: Final = {"id": "organize", "options": {"excludeByName": {"Time": True}}}

_PARTITIONED: Final = {one.name for one in Telemetry("model").catalogue() if "partition" in one.labels}
_METRIC: Final = re.compile(r"\b((?:driftline|process)_\w+)(?:\{([^}]*)\})?")


def chosen(query: str) -> str:
    """A query, of the jobs and partitions that were chosen."""

    def narrowed(found: re.Match[str]) -> str:
        metric, labels = found[1], found[2]
        base = re.sub("_(bucket|sum|count)$", "", metric)
        matchers = ['job=~"$job"']
        if base in _PARTITIONED:
            matchers.append('partition=~"$partition"')
        return f"{metric}{{{','.join([*matchers, *([labels] if labels else [])])}}}"

    return _METRIC.sub(narrowed, query)


def variable(name: str, label: str, query: str) -> Json:
    """A choice of several values of a label, all at first."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "sort": 3,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def drawn(panel: Panel, number: int, x: int, y: int) -> Json:
    """A panel as Grafana has it."""
    now = panel.kind in ("stat", "table")
    fields = {**panel.look, **({"unit": panel.unit} if panel.unit else {})}
    targets = [
        {
            "refId": letter,
            "datasource": SOURCE,
            "expr": chosen(query),
            "legendFormat": legend,
            **({"instant": True} if now else {}),
            **({"format": "table"} if panel.kind == "table" else {}),
        }
        for letter, (legend, query) in zip(string.ascii_uppercase, panel.queries.items(), strict=False)
    ]
    options: Json = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    if panel.kind == "stat":
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": panel.mode}
    elif panel.kind == "table":
        options = {"sortBy": [{"displayName": "Value", "desc": True}]}
    return {
        "id": number,
        "title": panel.title,
        "description": panel.text,
        "type": panel.kind,
        "datasource": SOURCE,
        "gridPos": {"h": panel.height, "w": panel.width, "x": x, "y": y},
        "targets": targets,
        "fieldConfig": {"defaults": fields, "overrides": []},
        "options": options,
        "transformations": [WITHOUT_TIME] if panel.kind == "table" else [],
    }


def placed(rows: Iterable[Row]) -> list[Json]:
    """The panels of all rows, each beside the one before it as far as there is room."""
    result: list[Json] = []
    y = 0
    for row in rows:
        result.append(
            {
                "id": len(result) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"h": 1, "w": 24, "x": 0, "y": y},
                "panels": [],
            }
        )
        x, y, height = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > 24:
                x, y, height = 0, y + height, 0
            result.append(drawn(panel, len(result) + 1, x, y))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return result


def written(dashboard: Dashboard) -> str:
    """A dashboard as the file that Grafana reads."""
    panels = placed(dashboard.rows)
    variables = [
        variable("job", "Service", "label_values(driftline_kafka_up, job)"),
        variable("partition", "Partition", 'label_values(driftline_pending_labels{job=~"$job"}, partition)'),
    ]
    if "$metric" in json.dumps(panels):
        variables.append(variable("metric", "Score", 'label_values(driftline_score{job=~"$job"}, metric)'))
    swaps = "sum by (reason) (increase(driftline_swaps_total[$__rate_interval])) > 0"
    document = {
        "uid": dashboard.name,
        "title": dashboard.title,
        "tags": ["driftline"],
        "schemaVersion": 41,
        "version": 1,
        "editable": True,
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "timezone": "",
        "graphTooltip": 1,
        "links": [
            {
                "type": "dashboards",
                "tags": ["driftline"],
                "title": "Driftline",
                "asDropdown": True,
                "keepTime": True,
                "includeVars": True,
            }
        ],
        "templating": {"list": variables},
        "annotations": {
            "list": [
                {
                    "name": "Swaps",
                    "enable": True,
                    "iconColor": "blue",
                    "datasource": SOURCE,
                    "expr": chosen(swaps),
                    "titleFormat": "swap: {{reason}}",
                }
            ]
        },
        "panels": panels,
    }
    return json.dumps(document, indent=1) + "\n"
