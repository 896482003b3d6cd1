"""`apsis run`: a run that somebody asks for."""

import base64
from typing import TYPE_CHECKING, Annotated

import typer

from apsis.cli.asking import FormatOption, ServerOption, ZoneOption, open_client, parse_args, print_json
from apsis.cli.exits import BY_STATE, INTERRUPTED, USAGE, CommandError
from apsis.cli.output import write
from apsis.cli.when import open_zone

if TYPE_CHECKING:
    from apsis.client import Client
    from apsis.wire.run import Run


def run(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    args: Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="A value for each param.")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When; `2h` is in two hours. Default: now.")] = None,
    label: Annotated[str | None, typer.Option(metavar="WORDS", help="A note to tell this run by.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended; the exit code says how.")] = False,
    output: Annotated[bool, typer.Option("--output", help="Wait, and print its output meanwhile.")] = False,
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Wait no longer than this; the run goes on.")
    ] = None,
    format: FormatOption = "text",
    server: ServerOption = None,
    tz: ZoneOption = None,
) -> None:
    """Run a job now or later. Prints the run's id (to stderr with --output).

    Exit codes with --wait or --output: 0 success, 1 any other end, 124 not ended within --timeout.
    """
    zone, timeout_s = open_zone(tz), _seconds(timeout)
    if timeout is not None and not (wait or output):
        raise CommandError("--timeout is for waiting", USAGE, help="Add --wait or --output.")
    when = zone.read(at, ago=False) if at else None
    with open_client(server) as client:
        made = client.run(job, parse_args(args or ()), schedule_time=when, label=label)
        if format == "json" and not (wait or output):
            print_json(made)
        elif format == "text":
            typer.echo(made.run_id, err=output)
        if not (wait or output):
            return
        final = _wait(client, made.run_id, output=output, timeout_s=timeout_s)
    if format == "json" and not output:
        print_json(final)
    else:
        typer.echo(f"{final.run_id} {final.state}: {final.message or ''}".rstrip(": "), err=True)
    raise typer.Exit(BY_STATE[final.state])


def _wait(client: "Client", run_id: str, *, output: bool, timeout_s: float | None) -> "Run":
    try:
        if not output:
            return client.wait(run_id, timeout_s)
        return _print_output(client, run_id, timeout_s)
    except KeyboardInterrupt:
        typer.echo(f"run {run_id} goes on; `apsis stop {run_id}` ends it", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _print_output(client: "Client", run_id: str, timeout_s: float | None) -> "Run":
    from apsis.wire.events import OutputAdded, RunChanged

    final: Run | None = None
    for event in client.run_events(run_id, timeout_s=timeout_s):
        if isinstance(event, OutputAdded):
            write(base64.b64decode(event.data))
        elif isinstance(event, RunChanged):
            final = event.run
    assert final is not None  # noqa: S101 - the stream begins with the run
    return final


def _seconds(timeout: str | None) -> float | None:
    from apsis.lib.duration import parse_duration

    try:
        return None if timeout is None else parse_duration(timeout)
    except ValueError as error:
        raise CommandError(f"--timeout: {error}", USAGE) from None
