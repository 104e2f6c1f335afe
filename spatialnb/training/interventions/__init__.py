"""The package's own interventions in training, one per file."""
