"""What `benchmarks/detectors.py` is made of."""
