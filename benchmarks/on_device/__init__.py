"""Components of `benchmarks/accelerator.py`."""
