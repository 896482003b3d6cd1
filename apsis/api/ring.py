"""The newest events in a bounded ring, by sequence number."""

from dataclasses import dataclass
from typing import Final

from apsis.engine.ports import RunNews

MAX_EVENTS: Final = 10_000
"""How far back a reader can resume: some minutes of a busy server, and a list that costs nothing when idle."""

MAX_BYTES: Final = 16 * 1024 * 1024
"""What the events may weigh together: large args or findings shorten the reach, they never grow the server."""


@dataclass(slots=True)
class Item:
    """One event of a topic.

    A change of a run stands as `news` until somebody reads it, and as `data` from then on; so without readers
    nothing is encoded. `run_id` is what a later event about the same run supersedes.
    """

    topic: str
    size: int
    run_id: str | None = None
    news: RunNews | None = None
    data: bytes | None = None


class Ring:
    """Items with the sequence numbers `first` to `last`; empty while `last` is `first - 1`."""

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self.first = 1
        self.last = 0
        self._items: list[Item | None] = [None] * max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._newest: dict[str, int] = {}

    def append(self, item: Item) -> int:
        """Add an item and return its sequence number; the oldest make room."""
        if self.last - self.first + 1 == len(self._items):
            self._drop_oldest()
        self.last += 1
        self._items[self.last % len(self._items)] = item
        self._bytes += item.size
        if item.run_id is not None:
            self._newest[item.run_id] = self.last
        while self._bytes > self._max_bytes and self.first < self.last:
            self._drop_oldest()
        return self.last

    def holds(self, position: int) -> bool:
        """Return whether everything after `position` is still here."""
        return self.first - 1 <= position <= self.last

    def superseded(self, sequence: int) -> bool:
        """Return whether a newer event about the same run is here too."""
        item = self[sequence]
        return item.run_id is not None and self._newest[item.run_id] > sequence

    def resized(self, change: int) -> None:
        """Note that an item became heavier or lighter by being encoded."""
        self._bytes += change

    def __getitem__(self, sequence: int) -> Item:
        item = self._items[sequence % len(self._items)]
        if item is None or not self.first <= sequence <= self.last:
            raise IndexError(sequence)
        return item

    def _drop_oldest(self) -> None:
        item = self[self.first]
        self._bytes -= item.size
        if item.run_id is not None and self._newest[item.run_id] == self.first:
            del self._newest[item.run_id]
        self._items[self.first % len(self._items)] = None
        self.first += 1
