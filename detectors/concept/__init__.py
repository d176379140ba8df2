"""Detectors on streams of errors."""
