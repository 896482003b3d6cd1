"""`apsis db` and `apsis archive`, as people start them."""

import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from apsis.store.store import SqliteStore
from tests.cli.conftest import Done, run_apsis
from tests.unit.store.past import fill, query, run_id, runs_in
from tests.unit.store.test_migrate import first_version

DOC = Path(__file__).parents[2] / "docs" / "cli.md"


@pytest.fixture
def state(tmp_path) -> Path:
    state = tmp_path / "state"
    store = SqliteStore(state)
    asyncio.run(fill(store, range(8)))
    store.close()
    query(state / "apsis.db", "update run_log set time = time - 400 * 86400000")
    query(
        state / "apsis.db",
        "update run set times = (select json_group_object(key, value - 400 * 86400000) from json_each(times))",
    )
    query(state / "apsis.db", "update run set schedule_time = schedule_time - 400 * 86400000")
    query(state / "apsis.db", "update run_arg set schedule_time = schedule_time - 400 * 86400000")
    return state


def apsis(*arguments: object) -> Done:
    return run_apsis(*map(str, arguments), server="http://127.0.0.1:9")


def test_backup_and_restore_while_a_server_has_the_database(state, tmp_path):
    store = SqliteStore(state)
    backup = tmp_path / "backup"
    done = apsis("db", "backup", "--state", state, backup, "--format", "json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["runs"], told["output_files"], told["missing_outputs"]) == (8, 2, [])

    again = apsis("db", "backup", "--state", state, backup)
    assert again.code == 2
    assert "is there already" in again.err

    refused = apsis("db", "restore", "--state", state, backup)
    assert refused.code == 5
    assert "--force" in refused.err
    held = apsis("db", "restore", "--state", state, backup, "--force")
    assert held.code == 5
    assert f"in use by another Apsis server, process {os.getpid()}" in held.err
    store.close()

    done = apsis("db", "restore", "--state", state, backup, "--force")
    assert done.code == 0
    assert "restored 8 runs and 2 output files" in done.out
    assert "the old database is" in done.out
    assert query(state / "apsis.db", "select value from fact where name = 'held'") == [("restored",)]


@pytest.mark.parametrize("command", ["backup", "restore", "check", "migrate"])
def test_every_command_of_the_group_explains_itself_and_is_documented(command):
    section = DOC.read_text().partition("\n## apsis db\n")[2].partition("\n## ")[0]
    said = apsis("db", command, "--help")
    assert said.code == 0
    assert f"`apsis db {command}" in section
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", said.out, re.MULTILINE)) - {"--help", "--format"}
    assert options <= set(re.findall(r"--[a-z-]+", section))


def test_check_says_what_is_wrong_and_exits_with_1(state):
    assert apsis("db", "check", "--state", state).out == "nothing is wrong\n"
    query(state / "apsis.db", "delete from run_log where run_id = ?", run_id(3))
    done = apsis("db", "check", "--state", state)
    assert (done.code, done.out) == (1, f"1 runs have no log: {run_id(3)}\n")
    told = json.loads(apsis("db", "check", "--state", state, "--format", "json").out)
    assert [finding["kind"] for finding in told["findings"]] == ["runs_without_log"]
    assert apsis("db", "check", "--state", state / "no").code == 4


def test_migrate_shows_what_is_to_be_done_and_does_it(tmp_path):
    first_version(tmp_path / "apsis.db")
    shown = apsis("db", "migrate", "--state", tmp_path, "--dry-run")
    assert shown.code == 0
    assert shown.out.startswith("2: ")
    assert query(tmp_path / "apsis.db", "pragma user_version") == [(1,)]
    done = apsis("db", "migrate", "--state", tmp_path)
    assert f"it was is {tmp_path / 'apsis.db.before-2'}" in done.out
    assert apsis("db", "migrate", "--state", tmp_path).out == "nothing to be done\n"


def test_archive_moves_old_runs_of_a_stopped_server(state):
    dry = apsis("archive", "--state", state, "--older-than", "90d", "--dry-run")
    assert (dry.code, dry.out) == (0, f"8 runs would be moved to {state / 'archive.db'}\n")
    assert not (state / "archive.db").exists()
    told = json.loads(apsis("archive", "--state", state, "--older-than", "90d", "--format", "json").out)
    assert told == {"runs": 8, "path": str(state / "archive.db"), "dry_run": False}
    assert len(runs_in(state / "archive.db")) == 8
    assert apsis("archive", "--state", state, "--older-than", "90d").out.startswith("moved 0 runs")


def test_archive_beside_a_running_server_says_who_has_it_and_what_to_do(state):
    store = SqliteStore(state)
    done = apsis("archive", "--state", state, "--older-than", "90d")
    assert done.code == 5
    assert f"process {os.getpid()}" in done.err
    assert "type: archive" in done.err
    assert "8 runs would" in apsis("archive", "--state", state, "--older-than", "90d", "--dry-run").out
    store.close()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--older-than", "long"), 2, "--older-than 'long'"),
        (("--older-than", "1d", "--path", "/tmp/else.db"), 2, "an archive cannot be /tmp/else.db"),
        ((), 2, "--older-than"),
    ],
)
def test_what_archive_cannot_do_is_usage(state, arguments, code, words):
    done = apsis("archive", "--state", state, *arguments)
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_relative_state_directory_is_as_good(state):
    relative = os.path.relpath(state)
    assert apsis("db", "check", "--state", relative).code == 0
    assert apsis("archive", "--state", relative, "--older-than", "90d").code == 0
