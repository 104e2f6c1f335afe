"""Training: networks, the loop, and everything that can intervene in it."""
