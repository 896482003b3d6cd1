"""Words about long work, on stderr: at most one line a second, and none for what is over sooner."""

import time
from typing import Final

import typer

EVERY_S: Final = 1.0


class Progress:
    """Told what is being done, how much of it is, and of how much (0: unknown), it says so now and then."""

    def __init__(self) -> None:
        self._began = self._said = time.monotonic()

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Take note."""
        now = time.monotonic()
        if now - self._said < EVERY_S:
            return
        self._said = now
        share = f" {100 * done // total} %" if total else ""
        typer.echo(f"{doing} …{share} ({now - self._began:.0f} s)", err=True)
