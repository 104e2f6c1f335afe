"""Configurations: everything that determines a run's numbers. They load without torch."""
