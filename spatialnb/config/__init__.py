"""Configurations: everything that determines the numbers of a run, read without torch."""
