"""What :mod:`spatialnb.training.batched` is made of: many runs of one architecture at once."""
