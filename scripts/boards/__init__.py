"""The Grafana dashboards, as `scripts/dashboards.py` writes them: one file each, and what they share."""
