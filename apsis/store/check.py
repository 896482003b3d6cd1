"""Whether a state directory is whole: the file itself, rows that belong together, and outputs with their files."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apsis.domain.errors import NotFound, StoreError
from apsis.lib.clock import SystemClock
from apsis.lib.instant import to_ms
from apsis.store.backup import OUTPUTS
from apsis.store.copying import Progress, check_integrity, open_read_only
from apsis.store.inspect import explained
from apsis.store.migrate import FILE, pending
from apsis.store.output_files import OutputFiles
from apsis.store.queries import SQL

EXAMPLES: Final = 10
"""Ids that are named of each kind of finding."""

SETTLED_AFTER_MS: Final = 60_000
"""A file younger than this may be one that a server is about to name."""

ROWS: Final = {
    "runs_without_log": "runs have no log",
    "wrong_times": "runs entered their states at other times than their logs say",
    "unbound_runs": "runs are under way, but nothing says what their programs are",
    "logs_without_run": "logs belong to no run",
    "bound_without_run": "bindings belong to no run",
    "meta_without_run": "metadata belong to no run",
    "outputs_without_run": "outputs belong to no run",
    "args_without_run": "jobs have args that belong to no run",
    "wrong_counts": "counters of states are wrong",
    "files_without_text": "applied files have no text",
}
"""Names of statements, and words for what they find."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """So many things of a kind are not as they should be; some of them by name."""

    kind: str
    words: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.count:,} {self.words}: {', '.join(self.examples)}{more}"


def check(state_dir: Path, progress: Progress) -> list[Wrong]:
    """Return what is wrong, nothing if all is well; only reads, also beside a running server."""
    path = state_dir / FILE
    if not path.exists():
        raise NotFound("database", str(path))
    if damage := check_integrity(path, progress):
        return [_wrong("damaged", "places are damaged", damage)]
    if pending(state_dir):
        raise StoreError(f"{path} is of an older version", help="`apsis db migrate` brings it to this one.")
    outputs = OutputFiles(state_dir / OUTPUTS)
    settled = to_ms(SystemClock().now()) - SETTLED_AFTER_MS
    files = {name for name, written_ms in outputs.listed() if written_ms < settled}
    with explained(path, "check"), closing(open_read_only(path)) as connection:
        connection.execute("begin")
        found = []
        for number, (name, words) in enumerate(ROWS.items()):
            progress("looking at rows", number, len(ROWS))
            found.append(_wrong(name, words, (str(row["id"]) for row in connection.execute(SQL[name]))))
        known = {f"{row['run_id']}.{row['attempt']}" for row in connection.execute(SQL["known_files"])}
        lost = list(_lost(connection, outputs))
        connection.execute("rollback")
        # What an archive took while we looked is no longer named.
        named = [name for name in lost if connection.execute(SQL["names_output"], name.split(".")).fetchone()]
    found.append(_wrong("lost_outputs", "outputs have no file, or one of another length", named))
    found.append(_wrong("unnamed_files", "files in outputs/ belong to no run", sorted(files - known)))
    return [wrong for wrong in found if wrong.count]


def _lost(connection: sqlite3.Connection, outputs: OutputFiles) -> Iterable[str]:
    for row in connection.execute(SQL["large_outputs"]):
        if outputs.length_now(row["run_id"], row["attempt"]) != row["length"]:
            yield f"{row['run_id']}.{row['attempt']}"


def _wrong(kind: str, words: str, ids: Iterable[str]) -> Wrong:
    count = 0
    examples: list[str] = []
    for id_ in ids:
        count += 1
        if len(examples) < EXAMPLES:
            examples.append(id_)
    return Wrong(kind, words, count, tuple(examples))
