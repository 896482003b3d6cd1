"""Backups of a database that is written to, putting them back, and looking for damage."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from apsis.domain.errors import BadRequest, InUse, NotFound, StoreError
from apsis.domain.state import State
from apsis.engine.ports import SaveHandled, SaveRun
from apsis.store.backup import back_up, restore
from apsis.store.check import check
from apsis.store.copying import PAGES
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH
from tests.unit.store.past import LARGE, a_run, files_in, fill, query, run_id, runs_in, saved


def quiet(doing: str, done: int, total: int) -> None:
    """Progress that nobody reads."""


@pytest.fixture
def state(tmp_path) -> Path:
    """A stopped server's directory with forty runs, ten of them with large outputs."""
    state = tmp_path / "state"
    store = SqliteStore(state)
    asyncio.run(fill(store, range(40)))
    asyncio.run(store.commit([SaveHandled(EPOCH)]))
    store.close()
    return state


WRITER = """
import asyncio, sys
from pathlib import Path
from apsis.store.store import SqliteStore
from tests.unit.store.past import a_run, saved, run_id, EPOCH

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    number = 10_000
    while True:  # always two runs together
        await store.commit([saved(a_run(number)), saved(a_run(number + 1))])
        number += 2
        if number == 10_010:
            print("writing", flush=True)

asyncio.run(main())
"""


def test_a_backup_is_one_moment_of_a_database_that_is_written_to_all_the_time(state, tmp_path):
    store = SqliteStore(state)
    padding = "x" * 4000
    asyncio.run(store.commit([saved(a_run(n), meta={"padding": padding}) for n in range(100, 2100)]))
    store.close()
    steps = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(state)], stdout=subprocess.PIPE, text=True, env=environment
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        made = back_up(state, tmp_path / "backup", lambda *step: steps.append(step))
        at_the_end = len(runs_in(state / "apsis.db"))
        writer.kill()
    copied = [step for step in steps if step[0] == "copying the database"]
    assert len(copied) == -(-copied[-1][2] // PAGES), "it began anew"
    runs = len(runs_in(tmp_path / "backup" / "apsis.db"))
    assert runs == made.runs < at_the_end
    assert runs % 2 == 0
    assert query(tmp_path / "backup" / "apsis.db", "select count(*) from run_log") == [(2 * runs,)]
    assert made.missing == ()
    assert len(files_in(tmp_path / "backup" / "outputs")) == made.output_files == 10
    assert check(tmp_path / "backup", quiet) == []


def test_a_backup_overwrites_nothing_and_needs_a_database(state, tmp_path):
    with pytest.raises(BadRequest, match="is there already"):
        back_up(state, tmp_path, quiet)
    with pytest.raises(NotFound, match="no database"):
        back_up(tmp_path / "nothing", tmp_path / "backup", quiet)
    assert not (tmp_path / "backup").exists()


def test_a_backup_tells_of_outputs_whose_files_are_gone(state, tmp_path):
    next((state / "outputs").glob(f"*/{run_id(4)}.1")).unlink()
    made = back_up(state, tmp_path / "backup", quiet)
    assert made.missing == (f"{run_id(4)}.1",)
    assert made.output_files == 9


def test_a_restored_database_is_what_was_backed_up_and_held(state, tmp_path):
    back_up(state, tmp_path / "backup", quiet)
    store = SqliteStore(state)
    asyncio.run(fill(store, range(40, 60)))
    asyncio.run(store.commit([SaveRun(a_run(39, state=State.FAILURE))]))
    store.close()

    made = restore(state, tmp_path / "backup", "then", quiet)

    assert (made.runs, made.handled, made.missing) == (40, EPOCH, ())
    assert made.kept == state / "apsis.db.replaced-then"
    assert len(runs_in(made.kept)) == 60
    assert len(files_in(state / "outputs.replaced-then")) == 15
    store = SqliteStore(state)

    async def look():
        assert await store.held_reason() == "restored"
        loaded = await store.load_run(run_id(39))
        assert loaded is not None
        assert loaded.state is State.SUCCESS
        assert await store.read_stored_output(run_id(4), 1, 0, 1 << 20) == LARGE
        await store.clear_held()
        assert await store.held_reason() is None

    asyncio.run(look())
    store.close()
    assert check(state, quiet) == []
    assert len(runs_in(state / "apsis.db")) == 40


def test_a_database_alone_is_restored_beside_the_outputs_that_are_there(state, tmp_path):
    back_up(state, tmp_path / "backup", quiet)
    made = restore(state, tmp_path / "backup" / "apsis.db", "then", quiet)
    assert (made.runs, made.output_files, made.missing) == (40, 10, ())
    assert not (state / "outputs.replaced-then").exists()


def test_a_backup_makes_a_new_state_directory(state, tmp_path):
    back_up(state, tmp_path / "backup", quiet)
    made = restore(tmp_path / "elsewhere", tmp_path / "backup", "then", quiet)
    assert made.kept is None
    assert len(files_in(tmp_path / "elsewhere" / "outputs")) == 10


def test_nothing_is_restored_under_a_running_server(state, tmp_path):
    back_up(state, tmp_path / "backup", quiet)
    store = SqliteStore(state)
    with pytest.raises(InUse, match="in use by another Apsis server"):
        restore(state, tmp_path / "backup", "then", quiet)
    store.close()


@pytest.mark.parametrize("damage", ["cut", "foreign", "newer"])
def test_what_cannot_be_restored_leaves_everything_as_it_was(state, tmp_path, damage):
    back_up(state, tmp_path / "backup", quiet)
    database = tmp_path / "backup" / "apsis.db"
    if damage == "cut":
        database.write_bytes(database.read_bytes()[:-8192])
    elif damage == "newer":
        query(database, "pragma user_version = 99")
    else:
        database.unlink()
        query(database, "create table recipes (name)")
    with pytest.raises(StoreError):
        restore(state, tmp_path / "backup", "then", quiet)
    assert len(runs_in(state / "apsis.db")) == 40
    assert not list(state.glob("*replaced*"))
    SqliteStore(state).close()


def test_a_damaged_database_can_be_replaced_and_is_kept(state, tmp_path):
    back_up(state, tmp_path / "backup", quiet)
    (state / "apsis.db").write_bytes(b"my precious notes" * 1000)
    made = restore(state, tmp_path / "backup", "then", quiet)
    assert made.kept is not None
    assert made.kept.read_bytes().startswith(b"my precious")
    assert check(state, quiet) == []


DAMAGES = {
    "runs_without_log": "delete from run_log where run_id = '{0}'",
    "wrong_times": "update run_log set time = time + 1 where run_id = '{0}' and seq = 2",
    "logs_without_run": "delete from run where run_id = '{0}'",
    "unbound_runs": "update run set state = 'running' where run_id = '{0}'; delete from run_bound where run_id = '{0}'",
    "wrong_counts": "update run_count set count = count + 1 where state = 'skipped'",
    "lost_outputs": "update run_output set length = 7 where run_id = '{0}' and data is null",
    "unnamed_files": "delete from run_output where run_id = '{0}'",
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_check_finds_what_does_not_belong_together(state, kind):
    assert check(state, quiet) == []
    for file in (state / "outputs").glob("*/*"):
        os.utime(file, (1, 1))
    for sql in DAMAGES[kind].format(run_id(4)).split(";"):
        query(state / "apsis.db", sql)
    found = {wrong.kind: wrong for wrong in check(state, quiet)}
    assert kind in found
    assert found[kind].count == 1
    assert str(found[kind]).startswith("1 ")


def test_a_check_finds_damage_of_the_file_itself(state):
    path = state / "apsis.db"
    with sqlite3.connect(path) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        (root,) = connection.execute("select rootpage from sqlite_schema where name = 'run_time'").fetchone()
    connection.close()
    data = bytearray(path.read_bytes())
    data[(root - 1) * 4096 + 100 : root * 4096] = b"\xff" * (4096 - 100)
    path.write_bytes(data)
    (wrong,) = check(state, quiet)
    assert wrong.kind == "damaged"


def test_a_backup_can_be_read_where_nothing_can_be_written(state, tmp_path):
    back_up(state, tmp_path / "backup", quiet)
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == ["apsis.db", "outputs"]
    assert query(tmp_path / "backup" / "apsis.db", "pragma journal_mode") == [("delete",)]
