"""`apsis archive`: move old runs of a stopped server's state directory to another database."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from whenever import Instant, TimeDelta

from apsis.cli.asking import FormatOption
from apsis.cli.exits import CONFLICT, USAGE, CommandError

StateOption = Annotated[
    Path, typer.Option("--state", metavar="DIR", resolve_path=True, help="The server's state directory.")
]


def archive(
    state: StateOption,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Such as 90d: runs that ended before.")
    ],
    path: Annotated[
        str | None, typer.Option("--path", metavar="FILE", help="The archive, in the state directory (archive.db).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many runs would be moved.")] = False,
    format: FormatOption = "text",
) -> None:
    """Move finished runs of a stopped server to another database, with logs and outputs; dependencies still hold.

    A running server archives by itself: by a job with `program: {type: archive, age: 90d}`, or `archive: {after: 90d}`
    in its configuration file.
    """
    from apsis.lib.clock import SystemClock
    from apsis.lib.duration import parse_duration
    from apsis.store.archive import archivable, archive_path
    from apsis.store.migrate import pending

    try:
        age_s = parse_duration(older_than)
    except ValueError as error:
        raise CommandError(f"--older-than {older_than!r}: {error}", USAGE) from error
    pending(state)  # says if there is no database
    before = SystemClock().now() - TimeDelta(seconds=age_s)
    where = archive_path(state, path)
    runs = archivable(state, before) if dry_run else asyncio.run(_archive(state, before, path))
    if format == "json":
        typer.echo(json.dumps({"runs": runs, "path": str(where), "dry_run": dry_run}))
    else:
        number = "1 run" if runs == 1 else f"{runs:,} runs"
        typer.echo(f"{number} would be moved to {where}" if dry_run else f"moved {number} to {where}")


async def _archive(state: Path, before: Instant, path: str | None) -> int:
    from apsis.cli.progress import Progress
    from apsis.domain.errors import InUse
    from apsis.store.archive import LARGEST_CHUNK
    from apsis.store.store import SqliteStore

    try:
        store = SqliteStore(state)
    except InUse as error:
        raise CommandError(
            error.message,
            CONFLICT,
            help="Stop it; or let it archive by itself: by a job with `program: {type: archive, age: 90d}`, or by"
            " `archive: {after: 90d}` in its configuration file.",
        ) from error
    progress = Progress()
    try:
        return await store.archive(
            before,
            path=path,
            limit=None,
            chunk_size=LARGEST_CHUNK,
            chunk_sleep_s=0,
            progress=lambda moved: progress(f"{moved:,} runs moved", 0, 0),
        )
    finally:
        store.close()
