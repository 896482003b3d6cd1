"""What only the real store does: pages, one server a directory, broken files and rows."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from apsis.domain.args import Args
from apsis.domain.errors import BadRequest, InUse, StoreError
from apsis.domain.events import Due, Failed, MarkAsked, Noted, Ready, StartAsked, Started, Succeeded
from apsis.domain.finding import Finding
from apsis.domain.job import Bound
from apsis.domain.jobset import Difference
from apsis.domain.policy import Retry
from apsis.domain.program import NoOp
from apsis.domain.query import RunFilter
from apsis.domain.revision import Revision
from apsis.domain.run import LogEntry, Output, Run
from apsis.domain.snapshot import RevisionVerdict
from apsis.domain.state import State
from apsis.domain.transition import decide
from apsis.engine.ports import SaveApplied, SaveRun
from apsis.store.check import check
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH, job, job_set


@pytest.fixture
def store(tmp_path):
    sqlite = SqliteStore(tmp_path)
    yield sqlite
    sqlite.close()


def run_id(number: int) -> str:
    return f"r{number:016}".translate(str.maketrans("0189", "abcd"))


def a_run(number: int, **fields) -> Run:
    time = fields.pop("time", EPOCH.add(minutes=number))
    base = Run(run_id(number), "etl", Args({"n": str(number % 3)}), time, time, log_length=1)
    return replace(base, **fields)


def saved(run: Run, **rest) -> SaveRun:
    return SaveRun(run, (LogEntry(1, EPOCH, run.state, "words"),), new=True, **rest)


async def all_pages(store: SqliteStore, wanted: RunFilter, limit: int = 7) -> list[str]:
    ids: list[str] = []
    cursor = None
    while True:
        page = await store.find_runs(wanted, limit=limit, cursor=cursor)
        ids += [run.run_id for run in page.runs]
        if (cursor := page.next) is None:
            return ids


async def in_chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 65536):
        yield data[start : start + 65536]


def test_pages_cover_every_run_once_also_where_many_share_a_time(store):
    async def main():
        await store.commit([saved(a_run(n, time=EPOCH.add(minutes=n // 10))) for n in range(50)])
        newest = await all_pages(store, RunFilter())
        assert newest == [run_id(n) for n in reversed(range(50))]
        assert await all_pages(store, RunFilter(newest_first=False)) == newest[::-1]

    asyncio.run(main())


def test_a_page_is_not_moved_by_runs_that_come_while_one_reads(store):
    async def main():
        await store.commit([saved(a_run(n)) for n in range(20)])
        first = await store.find_runs(RunFilter(), limit=10, cursor=None)
        await store.commit([saved(a_run(n)) for n in range(20, 30)])
        second = await store.find_runs(RunFilter(), limit=10, cursor=first.next)
        assert [run.run_id for run in (*first.runs, *second.runs)] == [run_id(n) for n in reversed(range(20))]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (RunFilter(job_id="etl", args={"n": "1"}), [1, 4, 7, 10]),
        (RunFilter(args={"n": "1"}), [1, 4, 7, 10]),
        (RunFilter(args={"n": "1", "m": "2"}), []),
        (RunFilter(job_id="other"), []),
        (RunFilter(states=frozenset({State.SUCCESS, State.ERROR})), [3, 5]),
        (RunFilter(since=EPOCH.add(minutes=4), until=EPOCH.add(minutes=7)), [4, 5, 6]),
        (RunFilter(rerun_of=run_id(1)), [2]),
    ],
)
def test_filters_choose_runs(store, wanted, numbers):
    async def main():
        runs = [a_run(n) for n in range(12)]
        runs[2] = replace(runs[2], rerun_of=run_id(1))
        runs[3] = replace(runs[3], state=State.SUCCESS)
        runs[5] = replace(runs[5], state=State.ERROR)
        await store.commit([saved(run) for run in runs])
        assert set(await all_pages(store, wanted)) == {run_id(n) for n in numbers}

    asyncio.run(main())


def test_a_cursor_that_is_not_ours_is_refused(store):
    async def main():
        with pytest.raises(BadRequest, match="cursor 'x'"):
            await store.find_runs(RunFilter(), limit=1, cursor="x")

    asyncio.run(main())


def test_output_is_read_by_offset_whether_small_or_large(store):
    async def main():
        large = bytes(range(256)) * 1000
        await store.outputs.write(run_id(2), 1, in_chunks(large))
        await store.commit(
            [
                saved(a_run(1), output=Output(5, "00", b"a\x00b\xffc")),
                saved(a_run(2), output=Output(len(large), "00", None)),
            ]
        )
        assert await store.read_stored_output(run_id(1), 1, 1, 4) == b"\x00b\xff"
        assert await store.read_stored_output(run_id(1), 1, 4, 99) == b"c"
        assert await store.read_stored_output(run_id(2), 1, 255, 258) == b"\xff\x00\x01"
        stored = await store.stored_output(run_id(2), 1)
        assert stored is not None
        assert (stored.attempt, stored.length) == (1, len(large))

    asyncio.run(main())


def test_timestamps_are_in_the_order_of_what_happened(store):
    async def main():
        states = [State.SCHEDULED, State.WAITING, State.STARTING, State.RUNNING, State.FAILURE, State.SUCCESS]
        run = a_run(1, state=State.SUCCESS, timestamps=dict.fromkeys(states, EPOCH))
        await store.commit([SaveRun(run, (LogEntry(1, EPOCH, State.SUCCESS, "words"),), new=True)])
        loaded = await store.load_run(run.run_id)
        assert loaded is not None
        assert list(loaded.timestamps) == states

    asyncio.run(main())


def test_a_commit_is_whole_or_nothing(store):
    async def main():
        with pytest.raises(sqlite3.IntegrityError):
            await store.commit([saved(a_run(1)), saved(a_run(2)), saved(a_run(1))])
        assert await all_pages(store, RunFilter()) == []

    asyncio.run(main())


def test_when_states_were_entered_is_what_the_log_says(store, tmp_path):
    """However a run went: the row that says so is never asked of the log again."""

    async def main():
        run = a_run(1, timestamps={State.SCHEDULED: EPOCH})
        await store.commit([saved(run)])
        bound = Bound(NoOp(), retry=Retry(1))
        first = [Due(bound), Ready(), Started(), Started("once more"), Failed("exit code 1")]
        second = [
            StartAsked("ada"),
            Noted("seen"),
            Ready(),
            Succeeded(),
            MarkAsked("ada", State.FAILURE),
            MarkAsked("ada", State.SUCCESS),
        ]
        for minute, event in enumerate(first + second, 1):
            now = EPOCH.add(minutes=minute)
            run, _ = decide(run, event, now)
            entry = LogEntry(run.log_length, now, run.state, event.message)
            await store.commit([SaveRun(run, (entry,))])
            loaded = await store.load_run(run.run_id)
            assert loaded is not None
            assert list(loaded.timestamps.items()) == list(run.timestamps.items())
        assert run.attempt == 2

    asyncio.run(main())
    assert check(tmp_path, lambda *_: None) == []


def test_an_unreadable_row_does_not_stop_a_start(store):
    async def main():
        await store.commit([saved(a_run(1)), saved(a_run(2))])
        with sqlite3.connect(store._database.path) as foreign:
            foreign.execute("update run set args = '{broken' where run_id = ?", (run_id(1),))
        foreign.close()
        restored = await store.restore(EPOCH)
        assert [run.run_id for run in restored.runs] == [run_id(2)]

    asyncio.run(main())


def test_a_run_that_has_lost_what_it_is_bound_to_does_not_stop_a_start(store):
    async def main():
        bound = a_run(2, state=State.RUNNING, bound=Bound(NoOp()))
        await store.commit([saved(replace(run, state=State.WAITING)) for run in (a_run(1), bound)])
        await store.commit([SaveRun(a_run(1, state=State.RUNNING)), SaveRun(bound)])
        restored = await store.restore(EPOCH)
        assert [run.run_id for run in restored.runs] == [run_id(2)]

    asyncio.run(main())


def test_the_last_good_snapshot_and_every_verdict_are_kept(store):
    async def main():
        await store.commit([SaveApplied(job_set(job("a"), job("b")), Difference(("a", "b"), (), ()), (), EPOCH)])
        finding = Finding("unknown-key", "error", "a.yaml", "unknown key `progam`", 1, 1, "program?", "progam: x")
        rejected = RevisionVerdict(
            Revision("bad", "Ada", EPOCH, "oops"), "rejected", EPOCH, Difference((), (), ()), (finding,)
        )
        await store.save_rejected("", rejected)
        await store.commit(
            [SaveApplied(job_set(job("b", version="2"), revision="next"), Difference((), ("b",), ("a",)), (), EPOCH)]
        )
        applied = await store.applied("")
        assert applied is not None
        assert applied.revision.id == "next"
        assert dict(applied.blobs) == {"b.yaml": "b-2"}
        assert applied.texts["b.yaml"].startswith("program:")
        verdicts = await store.verdicts("", 10)
        assert [(v.revision.id, v.verdict) for v in verdicts] == [
            ("next", "applied"),
            ("bad", "rejected"),
            ("rev", "applied"),
        ]
        assert verdicts[1] == rejected
        assert await store.applied("other") is None

    asyncio.run(main())


def test_a_second_server_on_the_same_directory_is_refused_and_told_who_has_it(store, tmp_path):
    with pytest.raises(InUse, match=f"in use by another Apsis server, process {os.getpid()}"):
        SqliteStore(tmp_path)


def test_the_lock_goes_with_a_killed_server(tmp_path):
    hold = "import sys,time;from pathlib import Path;from apsis.store.store import SqliteStore;"
    hold += "s=SqliteStore(Path(sys.argv[1]));print('held',flush=True);sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(InUse, match=str(process.pid)):
            SqliteStore(tmp_path)
        process.send_signal(signal.SIGKILL)
    SqliteStore(tmp_path).close()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path):
    SqliteStore(tmp_path).close()
    with sqlite3.connect(tmp_path / "apsis.db") as foreign:
        foreign.execute("pragma user_version = 99")
    foreign.close()
    with pytest.raises(StoreError, match="schema version 99") as caught:
        SqliteStore(tmp_path)
    assert "newer Apsis" in (caught.value.help or "")


def test_a_file_that_is_no_database_is_named_and_not_overwritten(tmp_path):
    file = tmp_path / "apsis.db"
    file.write_bytes(b"my precious notes" * 100)
    with pytest.raises(StoreError, match=r"apsis\.db.*not a database"):
        SqliteStore(tmp_path)
    assert file.read_bytes() == b"my precious notes" * 100


def test_the_instance_keeps_its_name(tmp_path):
    first = SqliteStore(tmp_path)
    name = first.instance_id
    first.close()
    second = SqliteStore(tmp_path)
    assert second.instance_id == name
    second.close()
