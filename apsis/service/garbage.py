"""When Python looks for garbage: never among the jobs and runs that a start makes, and seldom enough for a server."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 10_000
"""Objects made and kept before the collector looks at them: some 0.3 ms of looking; Python's own 700 suit scripts."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector from what is made within, now and later: it has no cycles, and goes when nobody has it.

    Ten thousand jobs are half a million objects; walking them holds the event loop for 60 ms each time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(YOUNG, 10, 10)
        gc.enable()


def collect_no_more() -> None:
    """Spare the end of the process a search for garbage: among a hundred thousand jobs that takes ten seconds."""
    gc.disable()
    gc.freeze()
