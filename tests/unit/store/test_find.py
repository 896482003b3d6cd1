"""How runs are found: by indexes alone, in pieces of bounded work, whatever the filter."""

import asyncio
import random
import re
import sqlite3
from itertools import combinations

import pytest
from msgspec.structs import replace

from apsis.domain.args import Args
from apsis.domain.query import RunFilter
from apsis.domain.run import LogEntry, Run
from apsis.domain.state import State
from apsis.engine.ports import SaveRun
from apsis.store import check, find
from apsis.store.queries import SQL
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH

TERMS = {
    "job": {"job_id": "etl"},
    "state": {"states": frozenset({State.FAILURE})},
    "states": {"states": frozenset({State.SUCCESS, State.ERROR})},
    "since": {"since": EPOCH.add(minutes=20)},
    "until": {"until": EPOCH.add(minutes=100)},
    "arg": {"args": {"n": "1"}},
    "args": {"args": {"n": "1", "m": "0"}},
    "rerun": {"rerun_of": "r1"},
    "oldest first": {"newest_first": False},
}
FILTERS = {
    " and ".join(names): RunFilter(**{key: value for name in names for key, value in TERMS[name].items()})
    for count in (0, 1, 2, 3, 4)
    for names in combinations(TERMS, count)
    if not ({"state", "states"} <= {*names} or {"arg", "args"} <= {*names})
}
SCANS = ("SCAN run", "SCAN a", "SEARCH run USING AUTOMATIC")


@pytest.fixture
def store(tmp_path):
    sqlite = SqliteStore(tmp_path)
    yield sqlite
    sqlite.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    directory = tmp_path_factory.mktemp("filled")
    sqlite = SqliteStore(directory)
    save(sqlite, some_runs(200))
    yield sqlite
    sqlite.close()


def some_runs(count: int) -> list[Run]:
    rng = random.Random(1)
    states = [State.SUCCESS, State.SUCCESS, State.FAILURE, State.ERROR, State.SKIPPED, State.RUNNING]
    return [
        Run(
            f"r{number}",
            rng.choice(["etl", "other"]),
            Args({"n": str(rng.randrange(3)), "m": str(rng.randrange(2))}),
            at := EPOCH.add(minutes=rng.randrange(120)),
            at,
            state=rng.choice(states),
            rerun_of=rng.choice([None, "r1", "r2"]),
        )
        for number in range(count)
    ]


def save(store: SqliteStore, runs: list[Run]) -> None:
    asyncio.run(store.commit([SaveRun(run, (LogEntry(1, EPOCH, run.state, "words"),), new=True) for run in runs]))


def ids_page_by_page(store: SqliteStore, wanted: RunFilter, limit: int = 7) -> list[str]:
    ids, cursor = [], None
    while True:
        page = asyncio.run(store.find_runs(wanted, limit=limit, cursor=cursor))
        assert len(page.runs) <= limit
        ids += [run.run_id for run in page.runs]
        if (cursor := page.next) is None:
            return ids


def expected(runs: list[Run], wanted: RunFilter) -> list[str]:
    def matches(run: Run) -> bool:
        return (
            (wanted.job_id is None or run.job_id == wanted.job_id)
            and (not wanted.states or run.state in wanted.states)
            and (wanted.since is None or run.schedule_time >= wanted.since)
            and (wanted.until is None or run.schedule_time < wanted.until)
            and (wanted.rerun_of is None or run.rerun_of == wanted.rerun_of)
            and all(run.args.get(name) == value for name, value in (wanted.args or {}).items())
        )

    ordered = sorted(enumerate(runs), key=lambda pair: (pair[1].schedule_time, pair[0]), reverse=wanted.newest_first)
    return [run.run_id for _, run in ordered if matches(run)]


def plans_of(path, ask) -> dict[str, list[str]]:
    """Return the plan of every statement that `ask` makes on a connection."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    ask(connection)
    connection.set_trace_callback(None)
    plans = {sql: [row["detail"] for row in connection.execute(f"explain query plan {sql}")] for sql in statements}
    connection.close()
    return plans


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("chunk", [3, 1000])
def test_every_filter_finds_its_runs_in_order(filled, monkeypatch, wanted, chunk):
    monkeypatch.setattr(find, "CHUNK", chunk)
    assert ids_page_by_page(filled, wanted, limit=17) == expected(some_runs(200), wanted)


@pytest.mark.parametrize("statistics", ["no statistics", "misleading statistics"])
def test_no_filter_scans_or_sorts_the_runs(store, tmp_path, statistics):
    save(store, some_runs(5))
    if statistics != "no statistics":
        analyze(tmp_path / "apsis.db")

    def ask(connection: sqlite3.Connection) -> None:
        for wanted in FILTERS.values():
            find.find_runs(connection, wanted, 5, None)
            find.find_runs(connection, wanted, 5, "99999999999.7")

    for sql, plan in plans_of(tmp_path / "apsis.db", ask).items():
        assert not [step for step in plan if step.startswith(SCANS) and "USING" not in step], f"{sql}\n{plan}"
        # Of tables that seem tiny SQLite rather sorts; Apsis makes no statistics, so that it never believes that.
        assert "run_log" not in sql
        if statistics == "no statistics":
            assert not [step for step in plan if "TEMP B-TREE" in step], f"{sql}\n{plan}"


@pytest.mark.parametrize("statistics", ["no statistics", "misleading statistics"])
def test_no_other_reading_scans_what_grows(store, tmp_path, statistics):
    if statistics != "no statistics":
        save(store, some_runs(5))
        analyze(tmp_path / "apsis.db")
    connection = sqlite3.connect(tmp_path / "apsis.db")
    connection.execute("attach ? as live", (str(tmp_path / "apsis.db"),))  # the archive's statements read from it
    for name, sql in SQL.items():
        if name in SHORT:
            continue
        named = dict.fromkeys(re.findall(r"(?<=:)[a-z_]+", sql))
        plan = [row[3] for row in connection.execute(f"explain query plan {sql}", named or (None,) * sql.count("?"))]
        assert not [step for step in plan if step.startswith("SCAN run")], f"{name}\n{plan}"
    connection.close()


SHORT = {"run_counts", "file_outputs", "large_outputs", "known_files", *check.ROWS}
"""Nine rows, the index of large outputs only, and what `apsis db check` is for."""


def analyze(path) -> None:
    """Let the planner believe that tables are as small as now."""
    with sqlite3.connect(path) as connection:
        connection.execute("analyze")
    connection.close()


def test_a_page_of_bounded_work_may_be_short_or_empty_and_the_next_goes_on(store, monkeypatch):
    monkeypatch.setattr(find, "CHUNK", 2)
    monkeypatch.setattr(find, "EXAMINED", 10)
    runs = [
        replace(run, job_id="etl", state=State.FAILURE if n == 3 else State.SUCCESS, args=Args({"n": str(n % 2)}))
        for n, run in enumerate(some_runs(100))
    ]
    runs[3] = replace(runs[3], schedule_time=EPOCH.add(minutes=-1), args=Args({"n": "1"}), state=State.SUCCESS)
    save(store, runs)
    wanted = RunFilter(states=frozenset({State.SUCCESS}), args={"n": "2"})
    assert ids_page_by_page(store, wanted) == []

    rare = RunFilter(args={"n": "1"}, states=frozenset({State.SUCCESS}), rerun_of=runs[3].rerun_of)
    assert ids_page_by_page(store, rare) == expected(runs, rare)


def test_a_page_that_has_taken_long_enough_ends(store, monkeypatch):
    monkeypatch.setattr(find, "CHUNK", 2)
    monkeypatch.setattr(find, "LONGEST_S", 0.0)
    runs = [
        replace(run, state=State.FAILURE if n == 0 else State.SUCCESS, args=Args({"n": str(n % 2)}))
        for n, run in enumerate(some_runs(100))
    ]
    save(store, runs)
    wanted = RunFilter(states=frozenset({State.SUCCESS}), args={"n": "1"}, newest_first=False)
    page = asyncio.run(store.find_runs(wanted, limit=7, cursor=None))
    assert 0 < len(page.runs) <= 2
    assert page.next is not None
    assert ids_page_by_page(store, wanted) == expected(runs, wanted)


def test_terms_that_never_meet_are_given_up_after_so_many_rows(store, monkeypatch):
    monkeypatch.setattr(find, "CHUNK", 5)
    monkeypatch.setattr(find, "EXAMINED", 20)
    runs = [
        replace(run, state=State.SUCCESS if n % 2 else State.FAILURE, args=Args({"n": str(n % 2)}))
        for n, run in enumerate(some_runs(100))
    ]
    save(store, runs)
    wanted = RunFilter(states=frozenset({State.SUCCESS}), args={"n": "0"})
    page = asyncio.run(store.find_runs(wanted, limit=7, cursor=None))
    assert page.runs == ()
    assert page.next is not None
    assert ids_page_by_page(store, wanted) == []
