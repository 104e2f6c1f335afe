"""Faults made on purpose, many times: a file for each family of them, and the command over all."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # set before torch is imported: what forks must have no threads
