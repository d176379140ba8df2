"""Drift detectors. They know neither streams nor learners."""
