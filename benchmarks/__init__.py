"""Measurements: each prints a figure, its target, and a ratio to a limit measured in the same run."""
