"""Execution: which runs are missing, and where they are trained."""
