"""Driftline: drift detection and online learning on Kafka streams."""
