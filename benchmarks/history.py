"""Databases of runs that ended long ago, made by direct SQL, for as long as the benchmarks run.

APSIS_BENCH_DIR names a directory that keeps them for the next time: 8 GB.
"""

import atexit
import hashlib
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from apsis.store.store import SqliteStore

RUNS_A_JOB: Final = 5_000
"""On average, in a past of any length, so that questions about a job find as many runs in each."""

REGIONS: Final = 20
NEWEST: Final = 1_795_000_000_000
"""The time of the newest run; the others lie before it, ten thousand a day."""

STEP_MS: Final = 8_640
STATES: Final = ("success", "failure", "error", "skipped")
WITH_LOG: Final = 1_000_000
"""The newest so many have their logs; those of older ones are a third of the bytes, and no list reads them."""

BYTES_A_RUN: Final = 1_300
"""What a run takes with its log, args and indexes, at most."""


@cache
def kept() -> Path:
    """Return the directory of all this."""
    if named := os.environ.get("APSIS_BENCH_DIR"):
        return Path(named)
    made = tempfile.mkdtemp(prefix="apsis-bench-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@dataclass(frozen=True)
class History:
    """A state directory with so many finished runs."""

    state: Path
    runs: int

    @property
    def sample(self) -> list[sqlite3.Row]:
        """Some hundreds of its runs, from everywhere; half of them reruns."""
        with sqlite3.connect(f"file:{self.state / 'apsis.db'}?mode=ro", uri=True) as connection:
            connection.row_factory = sqlite3.Row
            rng = random.Random(7)
            seqs = rng.choices(range(1, self.runs + 1), k=150) + rng.choices(range(1_100, self.runs + 1, 100), k=150)
            rows = [connection.execute("select * from run where seq = ?", (seq,)).fetchone() for seq in seqs]
        connection.close()
        return rows


def history(runs: int) -> History:
    """Return a database with `runs` finished runs, made now unless one of this schema is there."""
    schema = hashlib.sha256()
    for file in sorted((resources.files("apsis.store") / "migrations").iterdir(), key=lambda f: f.name):
        schema.update(file.read_bytes())
    schema.update(Path(__file__).read_bytes())
    state = kept() / f"history-{runs}-{schema.hexdigest()[:12]}"
    if not state.exists():
        for old in kept().glob(f"history-{runs}-*"):
            shutil.rmtree(old)
        _make(state, runs)
    return History(state, runs)


def _make(state: Path, runs: int) -> None:
    kept().mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(kept()).free) < runs * BYTES_A_RUN * 2:
        raise SystemExit(
            f"{runs:,} runs need {runs * BYTES_A_RUN * 2 >> 20:,} MiB in {kept()}; {free >> 20:,} are free"
        )
    print(f"making {runs:,} runs in {state} …", file=sys.stderr, flush=True)
    start = time.monotonic()
    new = state.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    SqliteStore(new).close()
    connection = sqlite3.connect(new / "apsis.db", isolation_level=None)
    connection.executescript(
        "pragma journal_mode = delete; pragma journal_mode = off; pragma synchronous = off;"
        "pragma cache_size = -1000000; pragma threads = 2; pragma locking_mode = exclusive"
    )
    # Indexes are made when all is there, and counters counted then, which is several times as fast.
    made = "select type, name, sql from sqlite_master where type in ('index', 'trigger') and sql is not null"
    definitions = connection.execute(made).fetchall()
    for kind, name, _ in definitions:
        connection.execute(f"drop {kind} {name}")
    values = {
        "runs": runs,
        "regions": REGIONS,
        "newest": NEWEST,
        "step": STEP_MS,
        "jobs": max(1, runs // RUNS_A_JOB),
        "bare": runs - WITH_LOG,
    }
    for statement in (*_RUNS.split(";"), *_ARGS_AND_LOG.split(";")):
        connection.execute(statement, values)
    for *_, sql in definitions:
        connection.execute(sql)
    connection.execute("update run_count set count = (select count(*) from run where run.state = run_count.state)")
    connection.execute("pragma journal_mode = wal")
    connection.close()
    new.rename(state)
    size = (state / "apsis.db").stat().st_size
    print(f"made in {time.monotonic() - start:.0f} s: {size / runs:,.0f} bytes a run", file=sys.stderr, flush=True)


# Runs are made up to two days ahead, so the order of rows is not quite the order of time; a few jobs run most.
_RUNS: Final = """
create temp table drawn as
with recursive number (n) as (select 1 union all select n + 1 from number where n < :runs)
select n, abs(random() % 1000) as share, abs(random() % :regions) as region,
    :newest - (:runs - n) * :step + abs(random() % 172800000) as at,
    printf('r%08x%08x', abs(random() % 4294967296), n) as run_id,
    abs(random() % 1000) * abs(random() % :jobs) / 1000 as job,
    iif(n % 100 = 0 and n > 1000, abs(random() % (n / 1000)) * 1000 + 1000, null) as of
from number;

insert into run (seq, run_id, job_id, args, state, schedule_time, nominal_time, attempt, rerun_of, labels, adhoc,
    repo, revision, path, blob, timed_out, message, log_length, times)
select n, run_id, job_id, '{"date":"' || date(at / 1000, 'unixepoch') || '","region":"region' || region || '"}',
    state, at, at, 1, (select run_id from drawn old where old.rowid = run.of), '["nightly"]', of is not null,
    '', 'f3b5c1d2a4e6978800112233445566778899aabb', job_id || '.yaml', printf('%040x', job), 0, 'exit code 0', 5,
    '{"scheduled":' || (at + 100) || ',"waiting":' || (at + 200) || ',"starting":' || (at + 300)
        || ',"running":' || (at + 400) || ',"' || state || '":' || (at + 500) || '}'
from (select *, 'group' || (job % 40) || '/job' || job as job_id, case when share < 900 then 'success'
    when share < 960 then 'failure' when share < 970 then 'error' else 'skipped' end as state from drawn) run;
"""

_ARGS_AND_LOG: Final = """
insert into run_arg (job_id, name, value, schedule_time, seq)
select job_id, key, value, schedule_time, run.seq from run, json_each(run.args) order by 1, 2, 3, 4, 5;
with step (n, state, message) as (values (1, 'scheduled', 'scheduled'), (2, 'waiting', 'due'),
    (3, 'starting', 'starting'), (4, 'running', 'process 4711 on group default'), (5, null, 'exit code 0'))
insert into run_log (run_id, seq, time, state, message)
select run_id, n, schedule_time + 100 * n, ifnull(step.state, run.state), step.message
from (select run_id, schedule_time, state from run where seq > :bare order by run_id limit -1) run cross join step;
"""
