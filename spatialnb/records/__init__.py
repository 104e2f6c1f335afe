"""Records: finished runs on disk, where each came from, and weights that are kept for a while."""
