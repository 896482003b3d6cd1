"""The archive: what is moved and what stays, and that nothing is lost or doubled when it is broken off."""

import asyncio
import signal
import subprocess
import sys

import pytest

from apsis.domain.action import Delivery, Webhook
from apsis.domain.args import Args
from apsis.domain.condition import Instance
from apsis.domain.errors import BadRequest
from apsis.domain.run import LogEntry
from apsis.domain.state import State
from apsis.engine.ports import SaveDelivery, SavePlanned, SaveRun
from apsis.store.archive import FEWEST, Archive, Pace, archive_path
from apsis.store.archive import _delete_runs as delete_runs
from apsis.store.lock import copying
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH
from tests.unit.store.past import LARGE, a_run, files_in, fill, query, run_id, runs_in, saved

TABLES = ("run_log", "run_bound", "run_meta", "run_output")


@pytest.fixture
def store(tmp_path):
    sqlite = SqliteStore(tmp_path)
    yield sqlite
    sqlite.close()


def archive(store: SqliteStore, hours: int, path: str | None = None, **how):
    """Archive what ended before so many hours after EPOCH."""
    how = {"limit": None, "chunk_size": 10, "chunk_sleep_s": 0.0, "progress": lambda _: None, **how}
    return store.archive(EPOCH.add(hours=hours), path=path, **how)


def outputs_of(numbers) -> list[str]:
    return sorted(f"{name}.1" for name in ids(numbers))


def ids(numbers) -> list[str]:
    return [run_id(number) for number in numbers]


def test_old_runs_move_with_all_that_belongs_to_them(store, tmp_path):
    async def main():
        await fill(store, range(30))
        seen: list[int] = []
        assert await archive(store, 25, chunk_size=10, progress=seen.append) == 25
        assert seen == [10, 20, 25]

    asyncio.run(main())
    live, old = tmp_path / "apsis.db", tmp_path / "archive.db"
    assert runs_in(live) == ids(range(25, 30))
    assert runs_in(old) == ids(range(25))
    for table in TABLES:
        assert len(query(live, f"select distinct run_id from {table}")) == 5, table  # noqa: S608
        assert len(query(old, f"select distinct run_id from {table}")) == 25, table  # noqa: S608
    assert query(live, "select count(*) from run_arg") == [(5,)]
    assert query(old, "select count(*) from run_arg join run using (seq, job_id, schedule_time)") == [(25,)]
    assert query(old, "select state, message, who from run_log where run_id = ? and seq = 2", run_id(3)) == [
        ("success", "done", "ada")
    ]
    assert query(old, "select data from run_output where run_id = ?", run_id(3)) == [(b"output 3",)]
    assert query(old, "select count from run_count where state = 'success'") == [(25,)]
    assert query(live, "select count from run_count where state = 'success'") == [(5,)]
    assert files_in(tmp_path / "outputs") == outputs_of([28])
    assert files_in(tmp_path / "archive.db.outputs") == outputs_of(range(0, 25, 4))
    assert next((tmp_path / "archive.db.outputs").glob("*/*")).read_bytes() == LARGE


def test_dependencies_on_archived_runs_still_hold(store):
    async def main():
        await store.commit([saved(a_run(0)), saved(a_run(3, state=State.FAILURE)), saved(a_run(1))])
        await archive(store, 10)
        assert await store.finished_states([Instance("etl", Args({"n": "0"}))]) == [{State.SUCCESS, State.FAILURE}]
        assert await store.finished_states([Instance("etl", Args({"n": "1"}))]) == [{State.SUCCESS}]
        assert await store.finished_states([Instance("etl", Args({"n": "2"}))]) == [frozenset()]

    asyncio.run(main())


def test_what_is_unfinished_newer_touched_lately_or_awaited_stays(store, tmp_path):
    async def main():
        await store.commit([saved(a_run(n, job_id=f"job {n}")) for n in (0, 1, 2, 3, 20)])
        await store.commit([saved(a_run(4, state=State.RUNNING))])
        marked = a_run(1, state=State.FAILURE, job_id="job 1", log_length=3)
        entry = LogEntry(3, EPOCH.add(hours=15), State.FAILURE, "asked to mark failure", "ada")
        await store.commit([SaveRun(marked, (entry,))])
        await store.commit([SaveDelivery(Delivery("k", run_id(2), Webhook("http://x/"), {}, EPOCH))])
        await store.commit([SavePlanned("job 3", EPOCH.add(hours=2)), SavePlanned("job 0", EPOCH.add(hours=2))])
        assert await archive(store, 10) == 1

    asyncio.run(main())
    assert runs_in(tmp_path / "archive.db") == ids([0])
    assert runs_in(tmp_path / "apsis.db") == ids([1, 2, 3, 4, 20])


def test_a_limit_and_what_progress_raises_end_it_between_chunks(store, tmp_path):
    class Enough(Exception):
        pass

    def enough(moved: int) -> None:
        raise Enough

    async def main():
        await fill(store, range(30))
        assert await archive(store, 99, limit=7, chunk_size=4) == 7
        with pytest.raises(Enough):
            await archive(store, 99, chunk_size=5, progress=enough)

    asyncio.run(main())
    assert runs_in(tmp_path / "archive.db") == ids(range(12))
    assert runs_in(tmp_path / "apsis.db") == ids(range(12, 30))


def test_several_archives_may_be_given_by_path(store, tmp_path):
    async def main():
        await fill(store, range(20))
        await archive(store, 10, "old/first.db")
        await archive(store, 20, "old/second.db")

    asyncio.run(main())
    assert runs_in(tmp_path / "old" / "first.db") == ids(range(10))
    assert runs_in(tmp_path / "old" / "second.db") == ids(range(10, 20))
    assert (tmp_path / "old" / "second.db.outputs").is_dir()


@pytest.mark.parametrize("path", ["../away.db", "/etc/archive.db", "apsis.db", "./old/../apsis.db", "archive", "lock"])
def test_an_archive_is_a_database_of_its_own_in_the_state_directory(tmp_path, path):
    with pytest.raises(BadRequest, match=r"an archive cannot be .*") as caught:
        archive_path(tmp_path, path)
    assert str(tmp_path) in (caught.value.help or "")


def test_a_run_that_changes_between_copy_and_deletion_stays_as_it_is_now(store, tmp_path):
    async def main():
        await fill(store, range(4))
        opened = Archive(tmp_path / "apsis.db", store.outputs, tmp_path / "archive.db")
        chunk = opened.copy(EPOCH.add(hours=9), 10, (0, 0))
        entry = LogEntry(3, EPOCH.add(hours=8), State.FAILURE, "asked to mark failure", "ada")
        await store.commit([SaveRun(a_run(2, state=State.FAILURE, log_length=3), (entry,))])
        assert await delete_runs(store._database, chunk.copied, Pace()) == 3
        opened.close()
        assert runs_in(tmp_path / "apsis.db") == ids([2])
        assert await archive(store, 9) == 1

    asyncio.run(main())
    assert query(tmp_path / "archive.db", "select state, count(*) from run group by 1") == [
        ("failure", 1),
        ("success", 3),
    ]
    assert query(tmp_path / "archive.db", "select count(*) from run_log where run_id = ?", run_id(2)) == [(3,)]


def test_a_change_of_an_archived_run_leaves_no_loose_rows(store, tmp_path):
    async def main():
        await fill(store, range(2))
        await archive(store, 9)
        entry = LogEntry(3, EPOCH.add(hours=8), State.FAILURE, "asked to mark failure", "ada")
        await store.commit([SaveRun(a_run(1, state=State.FAILURE, log_length=3), (entry,))])

    asyncio.run(main())
    assert query(tmp_path / "apsis.db", "select * from run_log") == []


def test_no_output_goes_while_somebody_copies_them(store, tmp_path):
    async def main():
        await fill(store, range(8))
        with copying(tmp_path):
            await archive(store, 5)
            assert len(files_in(tmp_path / "outputs")) == 2
        await archive(store, 5)

    asyncio.run(main())
    assert files_in(tmp_path / "outputs") == []
    assert query(tmp_path / "apsis.db", "select * from archived_file") == []


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from apsis.lib.instant import from_ms
from apsis.store import archive
from apsis.store.store import SqliteStore

calls = 0

def killed(*_, **__):
    global calls
    calls += 1
    if calls > int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*_, **__)

owner, name = (archive.Archive, sys.argv[2]) if hasattr(archive.Archive, sys.argv[2]) else (archive, sys.argv[2])
real = getattr(owner, name)
setattr(owner, name, killed)
store = SqliteStore(Path(sys.argv[1]))
asyncio.run(store.archive(from_ms(int(sys.argv[4])), path=None, limit=None, chunk_size=8, chunk_sleep_s=0,
    progress=lambda moved: None))
"""


@pytest.mark.parametrize("where", ["_take_file", "_delete_runs", "_delete_run", "_unlink"])
@pytest.mark.parametrize("after", [0, 3])
def test_killed_anywhere_every_run_is_in_one_place_after_the_next_archive(tmp_path, where, after):
    store = SqliteStore(tmp_path)
    asyncio.run(fill(store, range(40), large_every=2))
    store.close()
    before = EPOCH.add(hours=35)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), where, str(after), str(before.timestamp() * 1000)], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    everywhere = {*runs_in(tmp_path / "apsis.db"), *runs_in(tmp_path / "archive.db")}
    assert everywhere == set(ids(range(40)))

    store = SqliteStore(tmp_path)
    asyncio.run(archive(store, 35))
    store.close()
    assert runs_in(tmp_path / "apsis.db") == ids(range(35, 40))
    assert runs_in(tmp_path / "archive.db") == ids(range(35))
    assert files_in(tmp_path / "outputs") == outputs_of((36, 38))
    assert files_in(tmp_path / "archive.db.outputs") == outputs_of(range(0, 35, 2))
    assert query(tmp_path / "archive.db", "select count(*) from run_arg") == [(35,)]


def test_the_engine_goes_on_committing_while_runs_are_archived(store, tmp_path):
    async def main():
        await fill(store, range(200), large_every=1000)
        archiving = asyncio.ensure_future(archive(store, 200, chunk_size=20))
        number = 1000
        while not archiving.done():
            await store.commit([saved(a_run(number))])
            number += 1
        assert await archiving == 200
        assert number > 1010
        assert runs_in(tmp_path / "apsis.db") == ids(range(1000, number))

    asyncio.run(main())


def test_transactions_shrink_when_the_disk_is_slow_and_grow_again():
    pace = Pace()
    for _ in range(20):
        pace.took(0.001)
    assert pace.runs == 24
    pace.took(0.02)
    assert pace.runs == 12
    for _ in range(9):
        pace.took(0.02)
    assert pace.runs == FEWEST


def test_vacuum_gives_back_what_archived_runs_took(tmp_path):
    async def main(store):
        await fill(store, range(2000), large_every=10_000)
        before = await store.stats()
        await archive(store, 1990, chunk_size=100)
        free = (await store.stats())["free_bytes"]
        assert await store.vacuum() == free > 500_000
        after = await store.stats()
        assert after["free_bytes"] == 0
        assert await store.vacuum() == 0
        return before

    store = SqliteStore(tmp_path)
    before = asyncio.run(main(store))
    store.close()
    assert (tmp_path / "apsis.db").stat().st_size < before["database_bytes"] + before["wal_bytes"]
    assert query(tmp_path / "apsis.db", "pragma integrity_check") == [("ok",)]
    assert len(runs_in(tmp_path / "apsis.db")) == 10


def test_statistics_tell_what_there_is(store, tmp_path):
    async def main():
        await fill(store, range(6))
        await store.commit([saved(a_run(9, state=State.FAILURE))])
        await store.commit([SaveDelivery(Delivery("k", "r", Webhook("http://x/"), {}, EPOCH))])
        stats = await store.stats()
        assert (stats["runs"]["success"], stats["runs"]["failure"], stats["runs"]["waiting"]) == (6, 1, 0)
        assert stats["oldest_run"] == "2026-11-24T12:00:00.000Z"
        assert (stats["output_files"], stats["output_file_bytes"]) == (2, 2 * len(LARGE))
        assert stats["deliveries"] == {"pending": 1, "unreadable": 0, "delivered": {}, "failed_tries": {}}
        assert stats["database_bytes"] + stats["wal_bytes"] > 50_000

    asyncio.run(main())
