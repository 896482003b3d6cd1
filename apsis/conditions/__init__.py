"""Whether: verdicts over a read-only view of runs."""
