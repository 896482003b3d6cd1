"""`apsis output`: the bytes that a program wrote."""

import base64
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from apsis.cli.asking import RunArgument, ServerOption, find_run_id, open_client
from apsis.cli.exits import USAGE, CommandError

if TYPE_CHECKING:
    from apsis.wire.run import RunDetail


def output(
    run: RunArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    attempt: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="That of an earlier attempt (default: the newest).")
    ] = None,
    server: ServerOption = None,
) -> None:
    """Print a run's output as it is, byte for byte."""
    if follow and attempt is not None:
        raise CommandError("--follow is for the newest attempt", USAGE, help="Leave --attempt out, or --follow.")
    with open_client(server) as client:
        run_id = find_run_id(client, run)
        if follow:
            for event in client.follow_output(run_id):
                write(base64.b64decode(event.data))
        else:
            written = 0
            for piece in client.output_pieces(run_id, attempt):
                write(piece)
                written += len(piece)
            if not written and attempt is None:
                _hint(client.get_run(run_id))


def _hint(run: "RunDetail") -> None:
    """Say where the output is that one may have meant."""
    if run.attempt > 1:
        earlier = f"`--attempt {run.attempt - 1}` shows that of the one before"
        typer.echo(f"attempt {run.attempt} has written nothing; {earlier}", err=True)


def write(data: bytes) -> None:
    """Write bytes to stdout, at once and unaltered."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
