"""Thresholds from the number of values that may pass between two false alarms, by formulas and tables shipped here."""
