"""A bell that wakes everybody who waits, and never remembers a ring for those who come later."""

import asyncio


class Bell:
    """Take `next_ring` before looking whether there is something, wait for it only if there was not."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def next_ring(self) -> asyncio.Event:
        """The event that the next ring sets."""
        return self._event

    def ring(self) -> None:
        """Wake all who wait; from the event loop's thread only."""
        event, self._event = self._event, asyncio.Event()
        event.set()
