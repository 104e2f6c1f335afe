"""What `benchmarks/accelerator.py` is made of."""
