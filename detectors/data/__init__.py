"""Detectors on the features of events, and on predictions."""
