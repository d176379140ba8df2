"""What comes by the topics, as people look at it: alerts, dead letters, the audit trail, predictions."""
