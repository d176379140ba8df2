"""Alerts posted to others, out of the way of predictions: each webhook reads the alerts topic for itself."""
