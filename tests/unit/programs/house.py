"""A small store in memory that archives, vacuums and counts: for tests of internal programs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from whenever import Instant

from apsis.domain.errors import StoreError
from apsis.lib.clock import Clock


class House:
    """Keeps the times at which runs ended, in memory."""

    def __init__(self, clock: Clock, ended: Sequence[Instant] = ()) -> None:
        self.clock = clock
        self.ended = list(ended)
        self.archived: dict[str, int] = {}
        self.at_work = 0
        self.most_at_work = 0
        self.breaks_after: int | None = None

    async def archive(
        self,
        before: Instant,
        *,
        path: str | None,
        limit: int | None,
        chunk_size: int,
        chunk_sleep_s: float,
        progress: Callable[[int], None],
    ) -> int:
        with self._at_work():
            old = sorted(when for when in self.ended if when < before)[:limit]
            moved = 0
            while chunk := old[moved : moved + chunk_size]:
                if moved == self.breaks_after:
                    raise StoreError("the disk is full", help="Make room.")
                self.ended = [when for when in self.ended if when not in chunk]
                moved += len(chunk)
                where = path or "archive.db"
                self.archived[where] = self.archived.get(where, 0) + len(chunk)
                progress(moved)
                await self.clock.sleep(chunk_sleep_s)
            return moved

    async def vacuum(self) -> int:
        with self._at_work():
            await self.clock.sleep(0.01)
            return 123_456

    async def stats(self) -> Mapping[str, Any]:
        return {"runs": {"success": len(self.ended)}, "database_bytes": 8192}

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            yield
        finally:
            self.at_work -= 1
