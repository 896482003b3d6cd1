"""What a database says in the end, and whether that is what must have happened."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.crash.jobs import NEVER, Marks, Timetable

Due = tuple[str, int]
"""A job, and a schedule time in ms."""


class History:
    """The rows that a server left; read after it has stopped."""

    def __init__(self, state: Path) -> None:
        with closing(sqlite3.connect(state / "apsis.db")) as database:
            database.row_factory = sqlite3.Row
            self.sound = database.execute("pragma integrity_check").fetchone()[0]
            self.runs: list[Any] = database.execute("select * from run").fetchall()
            self.applied: list[Any] = database.execute(
                "select revision, decided_at from revision where verdict = 'applied' order by seq"
            ).fetchall()
            self.outputs = {
                row["run_id"]: bytes(row["data"]) for row in database.execute("select run_id, data from run_output")
            }

    def check(self, marks: Marks, of_commit: Mapping[str, Timetable], *, outputs: bool = True) -> None:
        """Everything due ran, once, to a good end; nothing else did; and each output is the run's own."""
        assert self.sound == "ok"
        ids = {row["run_id"] for row in self.runs}
        assert [dict(row) for row in self.runs if row["state"] != "success"] == []
        marked = Counter(marks.read())
        assert [run_id for run_id, times in marked.items() if times > 1] == []
        assert marked.keys() - ids == set(), "ran, but is no run of the database"
        assert ids - marked.keys() == set(), "succeeded, but never ran"
        assert self._due(of_commit) == self._scheduled()
        if outputs:
            assert {run_id: f"{run_id}\n".encode() for run_id in ids} == self.outputs

    def _scheduled(self) -> list[Due]:
        return sorted((row["job_id"], row["schedule_time"]) for row in self.runs if not row["adhoc"])

    def _due(self, of_commit: Mapping[str, Timetable]) -> list[Due]:
        """Return what fell due while each commit was the applied one; its times begin after."""
        due = []
        nothing_follows = [{"decided_at": 0}]
        for row, after in zip(self.applied, [*self.applied[1:], *nothing_follows], strict=True):
            for job, every in of_commit.get(row["revision"], NEVER).items():
                step = every * 1000
                first = (row["decided_at"] // step + 1) * step
                due += [(job, time) for time in range(first, after["decided_at"] + 1, step)]
        return sorted(due)
