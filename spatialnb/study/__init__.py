"""Studies: chapters as data, with their arms, claims, metrics, statistics and parameters."""
