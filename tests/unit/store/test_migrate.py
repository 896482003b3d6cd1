"""Databases of earlier versions, with rows in them."""

import asyncio
import sqlite3
from importlib import resources
from pathlib import Path

from apsis.domain.state import State
from apsis.lib.instant import from_ms
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH

INSERT = """
insert into run (run_id, job_id, args, state, schedule_time, nominal_time, attempt, labels, adhoc, repo, timed_out,
    log_length)
values (?1, 'etl', '{"n":"1"}', ?2, ?3, ?3, 1, '[]', 0, '', 0, 1)
"""


def first_version(path: Path) -> None:
    """Make a database as the first Apsis did, with a coming run and a finished one."""
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("pragma journal_mode = wal")
    old.executescript((resources.files("apsis.store") / "migrations" / "0001.sql").read_text())
    old.execute("insert into fact values ('instance', 'cafe')")
    for run_id, state, time in (("r1", "success", 1000), ("r2", "scheduled", 2000)):
        old.execute(INSERT, (run_id, state, time))
        old.execute("insert into run_log values (?, 1, ?, ?, 'words', null)", (run_id, time, state))
    old.execute("pragma user_version = 1")
    old.close()


def test_runs_of_the_first_version_are_there_and_counted(tmp_path):
    async def main():
        restored = await store.restore(EPOCH)
        assert [(run.run_id, run.due, run.breached) for run in restored.runs] == [("r2", None, ())]
        loaded = await store.load_run("r1")
        assert loaded is not None
        assert (loaded.state, loaded.schedule_time, loaded.args["n"]) == (State.SUCCESS, from_ms(1000), "1")

    first_version(tmp_path / "apsis.db")
    store = SqliteStore(tmp_path)
    assert store.instance_id == "cafe"
    asyncio.run(main())
    store.close()
    with sqlite3.connect(tmp_path / "apsis.db") as foreign:
        counts = dict(foreign.execute("select state, count from run_count where count > 0"))
    foreign.close()
    assert counts == {"success": 1, "scheduled": 1}
