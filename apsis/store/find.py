"""Finding runs: each term of a filter is a stretch of an index in the order of time, and a page lies where they meet.

Every statement names its index, so that no plan depends on statistics, of which there are none.
"""

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from apsis.domain.errors import BadRequest
from apsis.domain.query import RunFilter, RunPage
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.lib.instant import to_ms
from apsis.store.queries import SQL
from apsis.store.rows import readable, run_of

EXAMINED: Final = 50_000
"""Rows that one page may look at to find those that match several terms; the cursor goes on from there."""

LONGEST_S: Final = 0.008
"""So long it may look for them, and CHUNK rows at least: half of what an answer may take, the rest is for its text."""

CHUNK: Final = 1_000
"""Rows examined at a time; then it is asked anew which term has the fewest."""

_CURSOR: Final = re.compile(r"(-?\d{1,15})\.(\d{1,18})")

Position = tuple[int, int]
"""Where a run stands in every index: its schedule time and its row."""


@dataclass(frozen=True, slots=True)
class Span:
    """Positions from `low` up to, without, `high`; read from one end."""

    low: Position
    high: Position
    newest_first: bool

    @property
    def way(self) -> str:
        """SQL's word for the order."""
        return "desc" if self.newest_first else "asc"

    @property
    def bounds(self) -> tuple[int, ...]:
        """The values that `Stretch.within` asks for."""
        return (*self.low, *self.high)

    def until(self, end: Position) -> "Span":
        """Return the part up to and with `end`."""
        return replace(self, low=end) if self.newest_first else replace(self, high=_after(end))

    def beyond(self, end: Position) -> "Span":
        """Return the part behind `end`."""
        if self.newest_first:
            return replace(self, high=min(self.high, end))
        return replace(self, low=max(self.low, _after(end)))


@dataclass(frozen=True, slots=True)
class Stretch:
    """The entries of an index that are equal in its leading columns, and so lie in the order of time.

    Only our own words become SQL here; every value is bound.
    """

    table: str
    index: str | None
    columns: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def source(self) -> str:
        """Where it is read from, as `s`; None: the primary key, which SQLite takes by itself."""
        return f"{self.table} s" + (f" indexed by {self.index}" if self.index is not None else "")

    @property
    def within(self) -> str:
        """The condition, in its own values followed by a span's bounds."""
        equal = "".join(f"s.{column} = ? and " for column in self.columns)
        return f"{equal}(s.schedule_time, s.seq) >= (?, ?) and (s.schedule_time, s.seq) < (?, ?)"

    @property
    def has(self) -> str:
        """Whether a run of another stretch `s` lies here too, in its own values; asks nothing but this index."""
        equal = "".join(f"o.{column} = ? and " for column in self.columns)
        source = self.source.replace(" s", " o", 1)
        return f"exists (select 1 from {source} where {equal}o.schedule_time = s.schedule_time and o.seq = s.seq)"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a filter: the stretches in which its runs lie, each in one of them."""

    stretches: tuple[Stretch, ...]

    @property
    def has(self) -> str:
        """Whether a run of another term's stretch `s` is one of these."""
        return f"({' or '.join(stretch.has for stretch in self.stretches)})"

    @property
    def values(self) -> Iterator[str]:
        """The values of `has`."""
        return chain.from_iterable(stretch.values for stretch in self.stretches)


def find_runs(connection: sqlite3.Connection, wanted: RunFilter, limit: int, cursor: str | None) -> RunPage:
    """Return a page of at most `limit` runs by schedule time, and the cursor behind it.

    What a run is bound to is read only of those that were tried again, for how often they may be.

    After EXAMINED rows, or LONGEST_S, the page ends with what was found until then, perhaps nothing; its cursor
    goes on.
    """
    span = _span(wanted)
    if cursor is not None:
        span = span.beyond(_read_cursor(cursor))
    first, *others = _terms(wanted)
    if others:
        rows, end = _meeting(connection, (first, *others), span, limit)
    else:
        rows, end = _read(connection, first, (), span, limit + 1), None
    page = rows[:limit]
    if len(rows) > limit:
        end = _position(page[-1])
    retried = [row["run_id"] for row in page if row["attempt"] > 1]
    bounds = dict(connection.execute(SQL["bounds"], (_json_list(retried),)).fetchall()) if retried else {}

    def read(row: sqlite3.Row) -> Run:
        return run_of(row, bounds.get(row["run_id"]))

    runs = readable(page, lambda row: f"run {row['run_id']}", read)
    return RunPage(tuple(runs), f"{end[0]}.{end[1]}" if end is not None else None)


def _meeting(
    connection: sqlite3.Connection, terms: Sequence[Term], span: Span, limit: int
) -> tuple[list[sqlite3.Row], Position | None]:
    """Return the first `limit` + 1 runs that match all terms, and the position up to which was looked; None: the end.

    What is read is always a stretch of the term that has the fewest rows just there.
    """
    rows: list[sqlite3.Row] = []
    end: Position | None = None
    stop = time.monotonic() + LONGEST_S
    for _ in range(EXAMINED // CHUNK):
        ends = [_end_of_chunk(connection, term, span) for term in terms]
        fewest = ends.index(None) if None in ends else ends.index(_farthest(ends, span))
        end = ends[fewest]
        here = span.until(end) if end is not None else span
        others = [term for term in terms if term is not terms[fewest]]
        rows += _read(connection, terms[fewest], others, here, limit + 1 - len(rows))
        if end is None or len(rows) > limit or time.monotonic() >= stop:
            break
        span = span.beyond(end)
    return rows, end


def _end_of_chunk(connection: sqlite3.Connection, term: Term, span: Span) -> Position | None:
    """Return a position up to which the term has CHUNK rows at most; None if it has no more in the whole span."""
    ends = []
    for stretch in term.stretches:
        sql = (
            f"select s.schedule_time, s.seq from {stretch.source} where {stretch.within}"  # noqa: S608
            f" order by s.schedule_time {span.way}, s.seq {span.way} limit 1 offset ?"
        )
        skip = CHUNK // len(term.stretches) - 1
        if (row := connection.execute(sql, (*stretch.values, *span.bounds, skip)).fetchone()) is not None:
            ends.append(_position(row))
    nearest = max if span.newest_first else min
    return nearest(ends, default=None)


def _farthest(ends: Iterable[Position | None], span: Span) -> Position:
    farthest = min if span.newest_first else max
    return farthest(end for end in ends if end is not None)


def _read(
    connection: sqlite3.Connection, term: Term, others: Sequence[Term], span: Span, limit: int
) -> list[sqlite3.Row]:
    """Return the first runs of a term within a span that the other terms have too.

    Each stretch comes in the order of its index; SQLite merges several without sorting or reading them to the end.
    """
    conditions = "".join(f" and {other.has}" for other in others)
    values = tuple(chain.from_iterable(other.values for other in others))
    sql = " union all ".join(
        f"select {_ROW[stretch.table]} where {stretch.within}{conditions}".format(source=stretch.source)
        for stretch in term.stretches
    )
    bound = chain.from_iterable((*stretch.values, *span.bounds, *values) for stretch in term.stretches)
    # Of one stretch SQLite knows the order by its own columns only, of several by those of the result.
    of = "s." if len(term.stretches) == 1 else ""
    order = f" order by {of}schedule_time {span.way}, {of}seq {span.way} limit ?"
    return connection.execute(sql + order, (*bound, limit)).fetchall()


_ROW: Final = {"run": "s.* from {source}", "run_arg": "run.* from {source} cross join run on run.seq = s.seq"}


def _terms(wanted: RunFilter) -> tuple[Term, ...]:
    terms = []
    job_id, args = wanted.job_id, wanted.args or {}
    if wanted.rerun_of is not None:
        terms.append(Term((Stretch("run", "run_rerun", ("rerun_of",), (wanted.rerun_of,)),)))
    if job_id is not None and (wanted.states or not args):
        # A job's runs are those in each of the states: one index does for both.
        terms.append(_in_states("run_job", wanted.states or frozenset(State), ("job_id",), (job_id,)))
    elif wanted.states:
        terms.append(_in_states("run_state", wanted.states, (), ()))
    for name, value in args.items():
        terms.append(Term((_with_arg(job_id, name, value),)))
    return tuple(terms) or (Term((Stretch("run", "run_time", (), ()),)),)


def _in_states(index: str, states: Iterable[State], columns: tuple[str, ...], values: tuple[str, ...]) -> Term:
    names = sorted(state.value for state in states)
    return Term(tuple(Stretch("run", index, (*columns, "state"), (*values, name)) for name in names))


def _with_arg(job_id: str | None, name: str, value: str) -> Stretch:
    if job_id is None:
        return Stretch("run_arg", "run_arg_value", ("name", "value"), (name, value))
    return Stretch("run_arg", None, ("job_id", "name", "value"), (job_id, name, value))


def _span(wanted: RunFilter) -> Span:
    low = to_ms(wanted.since) if wanted.since is not None else -_EVER
    high = to_ms(wanted.until) if wanted.until is not None else _EVER
    return Span((low, 0), (high, 0), wanted.newest_first)


_EVER: Final = 1 << 60
"""Milliseconds that no instant has."""


def _position(row: sqlite3.Row) -> Position:
    return row["schedule_time"], row["seq"]


def _after(position: Position) -> Position:
    return position[0], position[1] + 1


def _read_cursor(cursor: str) -> Position:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise BadRequest(
            f"cursor {cursor!r} is not one that this API gave", help="Start at the first page, without it."
        )
    return int(match[1]), int(match[2])


def _json_list(texts: list[str]) -> str:
    return "[" + ",".join(f'"{text}"' for text in texts) + "]"
