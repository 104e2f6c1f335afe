"""Studies: the chapter as data. Its arms, claims, metrics, statistics and parameters."""
