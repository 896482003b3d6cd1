"""Between a run and its row."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from sys import intern
from typing import Final, TypeVar

from whenever import Instant

from apsis.domain.args import Args
from apsis.domain.run import LogEntry, Run
from apsis.domain.state import State
from apsis.lib.instant import from_ms, to_ms
from apsis.lib.seam import failure
from apsis.spec.bound import load_bound

T = TypeVar("T")


def run_of(row: sqlite3.Row, bound: str | None = None) -> Run:
    """Return the run of a row; it is bound as the row says, or the text. Raises ValueError or KeyError if broken."""
    schedule_time, nominal_time = row["schedule_time"], row["nominal_time"]
    bound = row["bound"] if "bound" in row.keys() else bound  # noqa: SIM118 - a Row is no mapping
    return Run(
        run_id=row["run_id"],
        job_id=intern(row["job_id"]),
        args=_args_of(row["args"]),
        schedule_time=(scheduled := from_ms(schedule_time)),
        nominal_time=scheduled if nominal_time == schedule_time else from_ms(nominal_time),
        state=State(row["state"]),
        timestamps=_times_of(row["times"]),
        attempt=row["attempt"],
        rerun_of=row["rerun_of"],
        label=row["label"],
        labels=_labels_of(row["labels"]),
        adhoc=bool(row["adhoc"]),
        repo=intern(row["repo"]),
        revision=_interned(row["revision"]),
        path=_interned(row["path"]),
        blob=_interned(row["blob"]),
        bound=load_bound(bound) if bound is not None else None,
        timed_out=bool(row["timed_out"]),
        message=_interned(row["message"]),
        log_length=row["log_length"],
        due=from_ms(row["due"]) if row["due"] is not None else None,
        breached=tuple(json.loads(row["breached"])),
    )


def unfinished_of(row: sqlite3.Row) -> Run:
    """Return the run of a row that the engine is to go on with; ValueError if that cannot be."""
    run = run_of(row)
    if run.bound is None and run.state is not State.SCHEDULED:
        raise ValueError(f"{run.state}, but nothing says what its program is")
    return run


def times_text(times: Mapping[State, Instant]) -> str:
    """Return what a row says about when its run entered its states, in their order."""
    return "{" + ",".join([f'"{state.value}":{to_ms(at)}' for state, at in times.items()]) + "}"


@lru_cache(maxsize=4096)
def _times_of(text: str) -> Mapping[State, Instant]:
    return {_STATES[name]: from_ms(ms) for name, ms in json.loads(text).items()}


def readable(
    rows: Iterable[sqlite3.Row], subject: Callable[[sqlite3.Row], str], read: Callable[[sqlite3.Row], T]
) -> Iterator[T]:
    """Yield what `read` makes of each row; one that it cannot read is reported under its `subject`, and left out."""
    for row in rows:
        try:
            value = read(row)
        except Exception as error:  # noqa: BLE001 - the seam of one row
            failure("row", subject(row), error)
        else:
            yield value


def _interned(text: str | None) -> str | None:
    """Return the one string for equal ones: coming runs say the same as their jobs and as each other."""
    return intern(text) if text is not None else None


_STATES: Final = {state.value: state for state in State}


@lru_cache(maxsize=4096)
def _args_of(text: str) -> Args:
    """Return the args of a row; most runs have some that another has had, and share the object."""
    return Args(json.loads(text))


@lru_cache(maxsize=1024)
def _labels_of(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def entry_of(row: sqlite3.Row) -> LogEntry:
    """Return the log entry of a row."""
    return LogEntry(row["seq"], from_ms(row["time"]), State(row["state"]), row["message"], row["who"])
