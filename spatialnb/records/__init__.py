"""Records: finished runs on disk, their provenance, and a temporary cache of weights."""
