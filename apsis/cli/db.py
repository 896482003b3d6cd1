"""`apsis db`: back up, restore, check and migrate the database of a state directory."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from apsis.cli.archive import StateOption
from apsis.cli.asking import Format, FormatOption
from apsis.cli.exits import CONFLICT, FAILED, CommandError
from apsis.cli.progress import Progress

db = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Back up, restore, check and migrate a server's database.",
)


@db.command()
def backup(
    state: StateOption,
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", resolve_path=True, help="The directory to make; must not be there yet.")
    ],
    format: FormatOption = "text",
) -> None:
    """Copy database and outputs while the server runs.

    What is copied is as it was at one moment; it is checked, and appears as a whole. A running server goes on.
    Exits with 1 if outputs were named whose files are gone; the backup is made all the same.
    """
    from apsis.store.backup import back_up

    made = back_up(state, target, Progress())
    told: dict[str, Any] = {
        "path": str(made.path),
        "runs": made.runs,
        "output_files": made.output_files,
        "bytes": made.bytes,
        "missing_outputs": list(made.missing),
    }
    text = f"{made.path}: {made.runs:,} runs, {made.output_files:,} output files, {made.bytes:,} bytes"
    _tell(told, text, format)
    _end(made.missing)


@db.command()
def restore(
    state: StateOption,
    source: Annotated[Path, typer.Argument(metavar="SOURCE", resolve_path=True, help="A backup, or a database alone.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the database that is there; it is kept.")] = False,
    format: FormatOption = "text",
) -> None:
    """Put a backup in a stopped server's place.

    It replaces the database, and the outputs if it has some; what was there is kept beside it.
    The next start is held: nothing runs until somebody has looked at what is due and releases it.
    """
    from apsis.lib.clock import SystemClock
    from apsis.lib.instant import format_instant
    from apsis.store import backup
    from apsis.store.migrate import FILE

    if (state / FILE).exists() and not force:
        raise CommandError(
            f"there is a database in {state}",
            CONFLICT,
            help="With --force it is replaced, and kept beside the new one.",
        )
    stamp = SystemClock().now().format_iso(unit="second", basic=True)
    made = backup.restore(state, source, stamp, Progress())
    handled = format_instant(made.handled) if made.handled is not None else None
    told: dict[str, Any] = {
        "path": str(state / FILE),
        "runs": made.runs,
        "output_files": made.output_files,
        "missing_outputs": list(made.missing),
        "handled": handled,
        "kept": str(made.kept) if made.kept is not None else None,
    }
    lines = [f"restored {made.runs:,} runs and {made.output_files:,} output files to {state}"]
    if handled is not None:
        lines.append(f"it knows of what was due up to {handled}; the next start is held, so look before you release it")
    if made.kept is not None:
        lines.append(f"the old database is {made.kept}")
    _tell(told, "\n".join(lines), format)
    _end(made.missing)


@db.command()
def check(state: StateOption, format: FormatOption = "text") -> None:
    """Look for damage in a state directory.

    Is the database sound, do its rows belong together, and have outputs their files?
    Only reads, and may run beside the server. Exits with 1 if something is wrong.
    """
    from apsis.store.check import check as look

    found = look(state, Progress())
    told = [
        {"kind": each.kind, "words": each.words, "count": each.count, "examples": list(each.examples)} for each in found
    ]
    _tell({"findings": told}, "\n".join(str(each) for each in found) or "nothing is wrong", format)
    if found:
        raise typer.Exit(FAILED)


@db.command()
def migrate(
    state: StateOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is to be done.")] = False,
    format: FormatOption = "text",
) -> None:
    """Bring a stopped server's database to this version.

    `apsis serve` does it by itself. A copy of the database as it was is kept beside it.
    """
    from apsis.store.migrate import pending, upgrade

    steps, kept = (pending(state), None) if dry_run else upgrade(state, Progress())
    told: dict[str, Any] = {
        "migrations": [{"version": step.version, "about": step.about} for step in steps],
        "applied": bool(steps) and not dry_run,
        "kept": str(kept) if kept is not None else None,
    }
    lines = [f"{step.version}: {step.about}" for step in steps] or ["nothing to be done"]
    if kept is not None:
        lines.append(f"applied; the database as it was is {kept}")
    _tell(told, "\n".join(lines), format)


def _tell(told: dict[str, Any], text: str, format: Format) -> None:
    typer.echo(json.dumps(told, indent=2) if format == "json" else text)


def _end(missing: tuple[str, ...]) -> None:
    if missing:
        typer.echo(f"{len(missing):,} outputs have no file: {', '.join(missing[:5])}", err=True)
        raise typer.Exit(FAILED)
