"""The hub: what happened, kept for a while for whoever listens. Publishing is cheap, reading is by position."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from whenever import Instant

from apsis.api import view
from apsis.api.ring import MAX_BYTES, MAX_EVENTS, Item, Ring
from apsis.api.sse import Message, encode
from apsis.domain.run import Run
from apsis.engine.ports import JobsNews, News, RunNews, WithdrawnNews
from apsis.lib.bell import Bell
from apsis.lib.instant import to_ms
from apsis.repo.ports import RepoState
from apsis.wire.events import JobsChanged, RunChanged, RunWithdrawn, SyncChanged

Topic = Literal["runs", "jobs", "sync"]
TOPICS: Final[frozenset[Topic]] = frozenset({"runs", "jobs", "sync"})

CHUNK_BYTES: Final = 64 * 1024
"""Events that are sent as one chunk: many under load, and never more than a transport's buffer takes."""

FAR_BEHIND: Final = 500
"""Events after which a reader is brought to the latest state of each run instead of being sent each step."""

MAX_MEMOS: Final = 64
"""Chunks kept for the other readers that stand at the same place; at most 4 MiB."""

RUN_BYTES: Final = 700
"""What a change of a run weighs without its args, before it is encoded."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Encoded events, and the position after them. `skipped` counts the steps that newer ones superseded."""

    data: bytes
    position: int
    skipped: int


@dataclass(slots=True)
class RunWatch:
    """The newest news about one run, for those who watch it; however much happens, it holds one run."""

    run: Run | None = None
    withdrawn: bool = False
    meta_changes: int = 0
    bell: Bell = field(default_factory=Bell)
    final: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self, run: Run, *, meta: bool = False, withdrawn: bool = False) -> None:
        """Take the news and wake those who watch."""
        self.run = run
        self.meta_changes += meta
        self.withdrawn = withdrawn
        if withdrawn or run.state.finished:
            self.final.set()
        self.bell.ring()


class Hub:
    """Tells streams what the engine publishes. Everything happens on the event loop's thread."""

    def __init__(self, started_at: Instant, *, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self.started_at = started_at
        self.bell = Bell()
        self.closing = asyncio.Event()
        self.count_jobs: Callable[[str], int] = lambda _repo: 0
        self._start = str(to_ms(started_at))
        self._ring = Ring(max_events, max_bytes)
        self._memos: dict[tuple[int, frozenset[Topic], bool], Chunk] = {}
        self._watches: dict[str, list[RunWatch]] = {}

    # -- publishing

    def publish(self, news: Sequence[News]) -> None:
        """Keep the news and wake the readers; never blocks."""
        for one in news:
            match one:
                case RunNews():
                    self._run_changed(one)
                case WithdrawnNews(run):
                    self._withdrawn(run)
                case JobsNews(jobs, change):
                    lists = {name: list(getattr(change, name)) for name in ("added", "changed", "removed")}
                    self._append("jobs", JobsChanged(repo=jobs.repo, revision=jobs.revision.id, **lists))
        self._wake()

    def sync_changed(self, state: RepoState) -> None:
        """Tell how a repository is followed now."""
        self._append("sync", SyncChanged(repo=view.repo(state, self.count_jobs(state.repo))))
        self._wake()

    def close(self) -> None:
        """End all streams with `bye`; the server stops."""
        self.closing.set()

    # -- reading

    @property
    def as_of(self) -> str:
        """The id of the newest event: read it before a query, and go on from it after."""
        return self.id_of(self._ring.last)

    @property
    def last(self) -> int:
        """The newest event's position."""
        return self._ring.last

    def id_of(self, position: int) -> str:
        """Return a position as an event's id."""
        return f"{self._start}.{position}"

    def position_of(self, event_id: str) -> int | None:
        """Return the position that an id names, None if it is not of this server start or too old to resume."""
        start, _, number = event_id.partition(".")
        if start != self._start or not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        return int(number) if self._ring.holds(int(number)) else None

    def take(self, position: int, topics: frozenset[Topic], coalesce: bool) -> Chunk | None:
        """Return what comes after `position`, a chunk at most; None if the reader fell off the ring.

        With `coalesce`, a run's changes are left out where a newer one is there.
        """
        if not self._ring.holds(position):
            return None
        key = (position, topics, coalesce)
        if key not in self._memos:
            if len(self._memos) >= MAX_MEMOS:
                self._memos.clear()
            self._memos[key] = self._chunk(*key)
        return self._memos[key]

    @contextmanager
    def watch_run(self, run_id: str) -> Iterator[RunWatch]:
        """Hear of one run, as long as the context lasts."""
        watch = RunWatch()
        watches = self._watches.setdefault(run_id, [])
        watches.append(watch)
        try:
            yield watch
        finally:
            watches.remove(watch)
            if not watches:
                self._watches.pop(run_id, None)

    def _chunk(self, position: int, topics: frozenset[Topic], coalesce: bool) -> Chunk:
        parts: list[bytes] = []
        size = skipped = 0
        while position < self._ring.last and size < CHUNK_BYTES:
            position += 1
            if self._ring[position].topic not in topics:
                continue
            if coalesce and self._ring.superseded(position):
                skipped += 1
                continue
            parts.append(self._encoded(position))
            size += len(parts[-1])
        return Chunk(b"".join(parts), position, skipped)

    def _encoded(self, position: int) -> bytes:
        item = self._ring[position]
        if item.data is None:
            assert item.news is not None  # noqa: S101 - an item has one of the two
            item.data = encode(RunChanged(run=view.run(item.news.run)), self.id_of(position))
            item.news = None
            self._ring.resized(len(item.data) - item.size)
            item.size = len(item.data)
        return item.data

    def _run_changed(self, news: RunNews) -> None:
        run = news.run
        size = RUN_BYTES + len(run.args.canonical) + len(run.message or "")
        self._ring.append(Item("runs", size, run.run_id, news))
        for watch in self._watches.get(run.run_id, ()):
            watch.changed(run, meta=news.meta is not None)

    def _withdrawn(self, run: Run) -> None:
        self._append("runs", RunWithdrawn(run_id=run.run_id, job_id=run.job_id), run.run_id)
        for watch in self._watches.get(run.run_id, ()):
            watch.changed(run, withdrawn=True)

    def _append(self, topic: Topic, message: Message, run_id: str | None = None) -> None:
        data = encode(message, self.id_of(self._ring.last + 1))
        self._ring.append(Item(topic, len(data), run_id, data=data))

    def _wake(self) -> None:
        self._memos.clear()
        self.bell.ring()
