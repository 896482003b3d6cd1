"""A database that others hold, that is old, damaged or was edited by hand; server, agent and programs are real."""

import os
import shutil
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.history import History
from tests.crash.jobs import ASKED, NEVER, Marks, Timetables
from tests.crash.resting import apply, come_to_rest, health, refusal
from tests.support.server import JobRepo, ServerProcess, eventually


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path / "marks")


@pytest.fixture
def timetables(repo: JobRepo, marks: Marks) -> Timetables:
    return Timetables(repo, marks)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the server's log goes."""
    return tmp_path / "server.log"


def ran(server: ServerProcess, marks: Marks, times: int) -> None:
    """Wait until a number of programs more have run."""
    wanted = len(marks.read()) + times
    eventually(lambda: len(marks.read()) >= wanted, f"{times} runs more")


def edit(state: Path, statement: str) -> None:
    """Edit a stopped server's database by hand; `:a` to `:e` stand for the last of the coming runs."""
    with closing(sqlite3.connect(state / "apsis.db", isolation_level=None)) as database:
        coming = database.execute("select run_id from run where state = 'scheduled' order by schedule_time desc")
        last = {name: run_id for name, (run_id,) in zip("abcde", coming.fetchmany(5), strict=True)}
        assert database.execute(statement, last).rowcount > 0


def test_a_second_server_is_refused_and_told_who_has_the_directory(server: ServerProcess) -> None:
    code, words = refusal(server.state)
    assert code == 5
    assert f"{server.state} is in use by another Apsis server, process {server.pid}" in words


def test_a_foreign_lock_longer_than_patience_loses_nothing(
    server: ServerProcess, timetables: Timetables, marks: Marks
) -> None:
    apply(server, timetables.push({"steady": 1}))
    ran(server, marks, 1)
    with closing(sqlite3.connect(server.state / "apsis.db", isolation_level=None)) as foreign:
        foreign.execute("begin immediate")
        answer = eventually(lambda: one if (one := health(server)).status_code == 503 else None, "the server says so")
        assert "database is locked" in answer.json()["detail"]
        foreign.execute("rollback")
    eventually(lambda: health(server).status_code == 200, "the server goes on")
    ran(server, marks, 1)
    apply(server, timetables.push(NEVER))
    come_to_rest(server)
    assert server.stop() == 0
    History(server.state).check(marks, timetables.of_commit)


def test_with_an_old_copy_of_the_database_runs_are_made_again_only_as_schedules_say(
    server: ServerProcess, timetables: Timetables, marks: Marks, tmp_path: Path, log: Path
) -> None:
    apply(server, timetables.push({"steady": 1}))
    ran(server, marks, 1)
    copy = eventually(lambda: quiet_copy(server.state, tmp_path / "copy.db"), "a moment in which nothing runs")
    asked = server.post("/runs", {"job_id": ASKED, "args": {"seconds": "1000"}})["run_id"]
    eventually(lambda: server.get(f"/runs/{asked}")["state"] == "running", "it runs")
    pid = server.get(f"/runs/{asked}")["meta"]["pid"]
    ran(server, marks, 2)
    server.kill()
    for name in ("apsis.db-wal", "apsis.db-shm"):
        (server.state / name).unlink(missing_ok=True)
    shutil.copy(copy, server.state / "apsis.db")
    server.start()
    ran(server, marks, 2)
    apply(server, timetables.push(NEVER))
    eventually(
        lambda: f"unknown_run: pid {pid} on agent" in log.read_text(), "the run that it does not know is told of"
    )
    os.killpg(pid, signal.SIGKILL)
    eventually(lambda: not server.runs(state="scheduled") and not server.runs(state="running"), "nothing runs")
    server.stop()
    runs = {row["run_id"]: row for row in History(server.state).runs}
    assert {row["state"] for row in runs.values()} == {"success"}
    times = Counter(marks.read())
    assert times.keys() - runs.keys() == {asked}
    assert times[asked] == 1
    assert set(times.values()) <= {1, 2}


def quiet_copy(state: Path, to: Path) -> Path | None:
    """Copy a live database as a backup does; None if some run was under way just then."""
    with closing(sqlite3.connect(state / "apsis.db")) as live, closing(sqlite3.connect(to)) as copy:
        live.backup(copy)
        under_way = "select count(*) from run where state in ('waiting', 'starting', 'running')"
        return to if copy.execute(under_way).fetchone() == (0,) else None


@pytest.mark.parametrize("part", ["header", "page", "half"])
def test_a_damaged_database_is_named_with_a_remedy_and_left_as_it_is(server: ServerProcess, part: str) -> None:
    server.stop()
    file = server.state / "apsis.db"
    good = file.read_bytes()
    middle = len(good) // 2 // 4096 * 4096
    damaged = {
        "header": b"\xa5" * 100 + good[100:],
        "page": good[:middle] + b"\xa5" * 4096 + good[middle + 4096 :],
        "half": good[:middle],
    }[part]
    file.write_bytes(damaged)
    code, words = refusal(server.state)
    assert code == 70
    assert str(file) in words
    assert "estore a backup" in words
    assert file.read_bytes() == damaged


def test_the_database_of_another_program_is_refused_untouched(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    file = state / "apsis.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("create table notes (text)")
    before = file.read_bytes()
    code, words = refusal(state)
    assert code == 70
    assert f"{file}: it is some other program's database" in words
    assert file.read_bytes() == before


EDITS = {
    "rows": [
        ("update run set args = '{broken' where run_id = :a", "row_failed: run r"),
        ("update run set schedule_time = 1 << 60 where run_id = :b", "row_failed: run r"),
        ("update run set times = '{\"dancing\":1}' where run_id = :c", "row_failed: run r"),
        ("update run set times = '{' where run_id = :d", "row_failed: run r"),
        ("update run_log set state = 'dancing', time = 1 << 60 where run_id = :e", ""),
        ("update run set labels = 'x' where state = 'success'", "row_failed: run r"),
        ("update planned set until = 1 << 60", "row_failed: plan of job steady"),
        ("update fact set value = 'yesterday' where name = 'handled'", "row_failed: fact 'handled'"),
        ("update revision set findings = '['", "row_failed: revision "),
    ],
    "texts": [
        ("update run_bound set bound = '{'", ""),
        ("update job_version set text = 'program: {type: cabbage}'", "jobs_lost: "),
    ],
    "revision": [("update revision set time = 1 << 60", "row_failed: revision ")],
}


@pytest.mark.parametrize("edits", EDITS.values(), ids=EDITS.keys())
def test_rows_edited_by_hand_cost_themselves_and_no_start(
    server: ServerProcess, timetables: Timetables, marks: Marks, log: Path, edits: list[tuple[str, str]]
) -> None:
    apply(server, timetables.push({"steady": 1}))
    ran(server, marks, 1)
    server.stop()
    for statement, _ in edits:
        edit(server.state, statement)
    server.start()
    # The next commit plans the same times anew, over rows that are there and cannot be read.
    apply(server, timetables.push({"steady": 1}, seconds=1))
    assert server.get("/runs", limit=1000)["runs"]
    ran(server, marks, 1)
    said = log.read_text()
    assert [reported for _, reported in edits if reported not in said] == []
    assert server.stop() == 0
