"""Training: networks, the training loop, and interventions in it."""
