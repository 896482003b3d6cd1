"""Archiving by policy, with the real store under a clock that the test turns."""

import asyncio
from typing import Any

import pytest

from apsis.domain.errors import BadRequest, StoreError
from apsis.lib.clock import VirtualClock, settle
from apsis.service.archiving import ArchiveKeys, ArchivePolicy, Archiving, archive_policy
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH
from tests.unit.store.past import fill, run_id, runs_in


class Refusing:
    """A store that refuses once, and says when it has done what it was asked for."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.refuse = False
        self.done: asyncio.Queue[None] = asyncio.Queue()

    async def archive(self, before: Any, **how: Any) -> int:
        if self.refuse:
            self.refuse = False
            self.done.put_nowait(None)
            raise StoreError("the disk is full")
        moved = await self._store.archive(before, **how)
        self.done.put_nowait(None)
        return moved


def test_runs_leave_when_they_are_old_enough_and_a_failure_is_tried_again(tmp_path, caplog) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path)
        await fill(store, range(30))
        clock = VirtualClock(EPOCH.add(hours=20))
        archives = Refusing(store)
        policy = ArchivePolicy(10 * 3600.0, "old.db", 2 * 3600.0)
        task = asyncio.ensure_future(Archiving(archives, policy, clock).run())

        await archives.done.get()
        await settle()
        assert runs_in(tmp_path / "old.db") == [run_id(n) for n in range(10)]
        archives.refuse = True
        await clock.advance(2 * 3600)
        await archives.done.get()
        await settle()
        assert "archive_failed: the disk is full; tried again in 2h" in caplog.text
        await clock.advance(2 * 3600)
        await archives.done.get()
        await settle()
        assert runs_in(tmp_path / "old.db") == [run_id(n) for n in range(14)]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.close()

    asyncio.run(main())


def test_nothing_is_archived_unless_somebody_says_so() -> None:
    assert archive_policy(None, None) is None
    assert archive_policy(None, "90d") == ArchivePolicy(90 * 86_400.0, None, 3600.0)
    keys = ArchiveKeys(after="30d", path="old.db", every="10m")
    assert archive_policy(keys, None) == ArchivePolicy(30 * 86_400.0, "old.db", 600.0)
    assert archive_policy(keys, "1d") == ArchivePolicy(86_400.0, "old.db", 600.0)


@pytest.mark.parametrize(
    ("keys", "after", "words"),
    [
        (ArchiveKeys(after="soon"), None, "archive.after 'soon'"),
        (ArchiveKeys(after="1d", every="often"), None, "archive.every 'often'"),
        (None, "old", "archive.after 'old'"),
    ],
)
def test_what_is_no_duration_is_named(keys: ArchiveKeys | None, after: str | None, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        archive_policy(keys, after)
