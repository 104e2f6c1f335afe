"""Components of :mod:`spatialnb.training.batched`, which trains many runs together."""
