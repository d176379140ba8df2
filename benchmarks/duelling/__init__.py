"""What `benchmarks/adaptation.py` is made of."""
