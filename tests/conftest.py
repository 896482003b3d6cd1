"""Options of the test suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a failing simulation be replayed."""
    parser.addoption("--seed", type=int, default=None, help="play only this world of tests/sim")
