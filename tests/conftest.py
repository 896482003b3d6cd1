"""Options of the test suite, and what all of its processes need."""

import signal

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a failing simulation be replayed, and long tests be as long as they are meant to be."""
    parser.addoption(
        "--seed", type=int, default=None, help="play only this world of tests/sim; draw tests/crash's moments from it"
    )
    parser.addoption(
        "--size", choices=("tenth", "full"), default="tenth", help="how much tests/crash and tests/sim go through"
    )


def pytest_configure() -> None:
    """Take SIGINT even where a shell started the suite in the background and had it ignored: children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
