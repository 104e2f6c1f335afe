"""Fault injection: one module per family of faults, and a command that runs all of them."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before importing torch: forking and threads conflict
