"""Benches: each prints a table with ratios against a peer in the same run."""

import gen2studio  # noqa: F401  First, as in the program: it says how many threads NumPy may start.
