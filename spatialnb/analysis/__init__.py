"""Analysis of trained networks: similarity, permutation alignment, and summaries of weights."""
