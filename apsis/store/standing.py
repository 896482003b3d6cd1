"""How the runs of an agent's processes stand in the database, and outputs that come after a run's end."""

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from apsis.domain.run import Output
from apsis.domain.state import FINISHED
from apsis.store.queries import SQL


@dataclass(frozen=True, slots=True)
class Standing:
    """The attempt that a run is at, whether it is finished, and the attempts whose output is stored."""

    attempt: int
    finished: bool
    stored: frozenset[int]


def standings(connection: sqlite3.Connection, run_ids: Collection[str]) -> Mapping[str, Standing]:
    """Return how the runs stand that there are."""
    rows = connection.execute(SQL["standings"], (json.dumps(list(run_ids)),))
    return {
        row["run_id"]: Standing(row["attempt"], row["state"] in FINISHED, frozenset(json.loads(row["stored"])))
        for row in rows
    }


def add_output(connection: sqlite3.Connection, run_id: str, attempt: int, output: Output) -> None:
    """Keep the output of an attempt that has none."""
    connection.execute(SQL["add_output"], (run_id, attempt, output.length, output.sha256, output.data))
