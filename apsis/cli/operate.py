"""`apsis start`, `skip`, `stop`, `rerun`, `mark`: what a person does to a run."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from apsis.cli.asking import (
    Format,
    FormatOption,
    ReasonOption,
    RunArgument,
    ServerOption,
    find_run_id,
    open_client,
    print_json,
)

if TYPE_CHECKING:
    from apsis.client import Client
    from apsis.wire.run import Run


def start(
    run: RunArgument, reason: ReasonOption = None, format: FormatOption = "text", server: ServerOption = None
) -> None:
    """Start a scheduled run now (conditions still count), or a waiting one (they do not)."""
    _operate(server, format, lambda client: client.start(find_run_id(client, run), reason))


def skip(
    run: RunArgument, reason: ReasonOption = None, format: FormatOption = "text", server: ServerOption = None
) -> None:
    """Skip a scheduled or waiting run."""
    _operate(server, format, lambda client: client.skip(find_run_id(client, run), reason))


def stop(
    run: RunArgument, reason: ReasonOption = None, format: FormatOption = "text", server: ServerOption = None
) -> None:
    """Stop a starting or running run; its program is asked to end, and killed after its grace period."""
    _operate(server, format, lambda client: client.stop(find_run_id(client, run), reason))


def rerun(
    run: RunArgument, reason: ReasonOption = None, format: FormatOption = "text", server: ServerOption = None
) -> None:
    """Run the same job with the same args again, now; prints the new run's id."""
    _operate(server, format, lambda client: client.rerun(find_run_id(client, run), reason))


def mark(
    run: RunArgument,
    state: Annotated[
        Literal["success", "failure", "error", "skipped"],
        typer.Argument(metavar="STATE", help="The state it gets: success, failure, error or skipped."),
    ],
    reason: ReasonOption = None,
    format: FormatOption = "text",
    server: ServerOption = None,
) -> None:
    """Give a finished run another final state."""
    _operate(server, format, lambda client: client.mark(find_run_id(client, run), state, reason))


def _operate(server: str | None, format: Format, ask: "Callable[[Client], Run]") -> None:
    with open_client(server) as client:
        run = ask(client)
    if format == "json":
        print_json(run)
    else:
        typer.echo(f"{run.run_id} {run.state}")
