"""The seam on kafka-python: pure Python, always there."""
