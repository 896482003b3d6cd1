"""Databases of earlier versions, with rows in them."""

import asyncio
import json
import sqlite3
from importlib import resources
from pathlib import Path

import pytest

from apsis.domain.errors import InUse, StoreError
from apsis.domain.state import State
from apsis.lib.instant import from_ms
from apsis.store.migrate import INCREMENTAL, migrations, pending, upgrade
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH
from tests.unit.store.past import query

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


def test_migrated_runs_know_when_they_entered_their_states(tmp_path):
    path = tmp_path / "apsis.db"
    first_version(path)
    words = ["waiting", "starting", "running", "running", "scheduled", "waiting", "starting", "failure", "success"]
    for seq, state in enumerate(words, 2):
        query(path, "insert into run_log values ('r1', ?, ?, ?, '', null)", seq, 1000 * seq, state)
    upgrade(tmp_path)
    ((times,),) = query(path, "select times from run where run_id = 'r1'")
    entered = {"running": 4, "scheduled": 6, "waiting": 7, "starting": 8, "failure": 9, "success": 10}
    assert list(json.loads(times).items()) == [(state, 1000 * seq) for state, seq in entered.items()]


@pytest.mark.parametrize("by", ["serving", "the command"])
def test_a_database_is_kept_as_it_was_before_it_is_migrated(tmp_path, by):
    path = tmp_path / "apsis.db"
    first_version(path)
    assert [step.version for step in pending(tmp_path)] == [step.version for step in migrations()[1:]]
    if by == "serving":
        SqliteStore(tmp_path).close()
    else:
        steps, kept = upgrade(tmp_path)
        assert [step.version for step in steps] == [step.version for step in migrations()[1:]]
        assert kept == tmp_path / "apsis.db.before-2"
    assert pending(tmp_path) == []
    assert query(path, "pragma user_version") == [(len(migrations()),)]
    assert query(path, "pragma auto_vacuum") == [(INCREMENTAL,)]
    before = tmp_path / "apsis.db.before-2"
    assert query(before, "pragma user_version") == [(1,)]
    assert query(before, "select run_id from run order by run_id") == [("r1",), ("r2",)]


def test_a_new_database_and_one_of_this_version_are_not_copied(tmp_path):
    for _ in range(2):
        SqliteStore(tmp_path).close()
    assert upgrade(tmp_path) == ([], None)
    assert not list(tmp_path.glob("*before*"))
    assert query(tmp_path / "apsis.db", "pragma auto_vacuum") == [(INCREMENTAL,)]


def test_nothing_is_migrated_under_a_running_server(tmp_path):
    store = SqliteStore(tmp_path)
    with pytest.raises(InUse):
        upgrade(tmp_path)
    store.close()


def test_a_migration_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "apsis.db"
    first_version(path)
    query(path, "create table missed (mine)")
    with pytest.raises(StoreError, match="missed already exists"):
        SqliteStore(tmp_path)
    assert query(path, "pragma user_version") == [(1,)]
    assert "due" not in [column[1] for column in query(path, "pragma table_info(run)")]


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
    counts = query(tmp_path / "apsis.db", "select state, count from run_count where count > 0")
    assert dict(counts) == {"success": 1, "scheduled": 1}
