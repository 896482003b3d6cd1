"""Finding runs: a filter as SQL, and keyset pages."""

import re
import sqlite3
from typing import Any, Final

from apsis.domain.errors import BadRequest
from apsis.domain.query import RunFilter, RunPage
from apsis.lib.instant import to_ms
from apsis.store.queries import SQL
from apsis.store.rows import run_of, times_of

_CURSOR: Final = re.compile(r"(-?\d{1,15})\.(\d{1,18})")


def find_runs(connection: sqlite3.Connection, wanted: RunFilter, limit: int, cursor: str | None) -> RunPage:
    """Return a page of at most `limit` runs by schedule time, and the cursor behind it."""
    where, values = _where(wanted)
    if cursor is not None:
        where.append(f"(schedule_time, run.seq) {'<' if wanted.newest_first else '>'} (?, ?)")
        values.extend(_read_cursor(cursor))
    way = "desc" if wanted.newest_first else "asc"
    condition = f"where {' and '.join(where)}" if where else ""
    # Only our own words are put together here; every value is bound.
    sql = f"select run.* from run {condition} order by schedule_time {way}, run.seq {way} limit ?"  # noqa: S608
    rows = connection.execute(sql, (*values, limit + 1)).fetchall()
    page = rows[:limit]
    times = times_of(connection.execute(SQL["run_times"], (_json_list([row["run_id"] for row in page]),)))
    runs = tuple(run_of(row, times.get(row["run_id"], {})) for row in page)
    more = f"{page[-1]['schedule_time']}.{page[-1]['seq']}" if len(rows) > limit else None
    return RunPage(runs, more)


def _where(wanted: RunFilter) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    values: list[Any] = []

    def term(sql: str, *bound: Any) -> None:
        where.append(sql)
        values.extend(bound)

    if wanted.job_id is not None:
        term("run.job_id = ?", wanted.job_id)
    if wanted.states:
        states = sorted(wanted.states)
        term(f"state in ({', '.join('?' * len(states))})", *states)
    if wanted.since is not None:
        term("schedule_time >= ?", to_ms(wanted.since))
    if wanted.until is not None:
        term("schedule_time < ?", to_ms(wanted.until))
    if wanted.rerun_of is not None:
        term("rerun_of = ?", wanted.rerun_of)
    for name, value in (wanted.args or {}).items():
        job = "a.job_id = run.job_id and " if wanted.job_id is not None else ""
        term(
            f"exists (select 1 from run_arg a where {job}a.name = ? and a.value = ?"  # noqa: S608
            " and a.schedule_time = run.schedule_time and a.seq = run.seq)",
            name,
            value,
        )
    return where, values


def _read_cursor(cursor: str) -> tuple[int, int]:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise BadRequest(
            f"cursor {cursor!r} is not one that this API gave", help="Start at the first page, without it."
        )
    return int(match[1]), int(match[2])


def _json_list(texts: list[str]) -> str:
    return "[" + ",".join(f'"{text}"' for text in texts) + "]"
