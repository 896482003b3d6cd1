"""Apsis: a GitOps-style declarative job scheduler."""

__version__ = "0.1.0"
