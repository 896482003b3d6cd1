"""The bell of a directory: rings when something in it may have changed.

The kernel's events say that something happened, never reliably what, and fall silent when the directory itself is
removed and made again; so each means "scan", the directory's own identity is compared every second, and a slow
timer rings in any case.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

from apsis.lib.clock import Clock

log = logging.getLogger(__name__)

SLOW_SCAN_S: Final = 60.0
"""The net under everything that gives no event: a full queue in the kernel, a write behind a linked file, NFS."""

QUIET_MS: Final = 50
"""A bell waits for so long without an event, so that a checkout or a save in several steps is seen whole."""

DEBOUNCE_MS: Final = 400
"""But not longer than this, while events keep coming: a change is live within a second."""

IDENTITY_MS: Final = 1_000
"""How often the watched directory is compared with what now bears its name."""

RETRY_S: Final = 1.0
"""How often to look for a directory that is not there."""

UNWATCHED_S: Final = 5.0
"""How often a directory that cannot be watched is scanned: 80 ms for 10,000 files is then 2 % of a core."""


async def watch(root: Path, clock: Clock) -> AsyncGenerator[None, None]:
    """Ring whenever the directory should be scanned; never ends and never raises."""
    complained = False
    while True:
        while _identity(root) is None:
            await clock.sleep(RETRY_S)
        try:
            async with aclosing(_watch_once(root, clock)) as bells:
                async for _ in bells:
                    complained = False
                    yield
        except (OSError, RuntimeError) as error:  # as a rule, the kernel has no watches left
            if not complained:
                log.warning("watch_failed: %s cannot be watched: %s; it is scanned instead", root, error)
                complained = True
            await clock.sleep(UNWATCHED_S)
        yield


async def _watch_once(root: Path, clock: Clock) -> AsyncGenerator[None, None]:
    """Ring until another directory, or none, bears the name; once at the beginning, for what came before."""
    identity = _identity(root)
    rung_at: float | None = None
    changes = awatch(
        root,
        watch_filter=_concerns_us,
        debounce=DEBOUNCE_MS,
        step=QUIET_MS,
        rust_timeout=IDENTITY_MS,
        yield_on_timeout=True,
    )
    async with aclosing(changes):
        async for batch in changes:
            if _identity(root) != identity:
                return
            if batch or rung_at is None or clock.monotonic() - rung_at >= SLOW_SCAN_S:
                rung_at = clock.monotonic()
                yield


def _identity(root: Path) -> tuple[int, int] | None:
    try:
        status = root.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _concerns_us(_: Change, path: str) -> bool:
    return "/.git/" not in path
