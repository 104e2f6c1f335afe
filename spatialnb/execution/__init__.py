"""Execution: find the missing runs, and train them on a backend."""
