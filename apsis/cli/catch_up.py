"""`apsis catch-up` and `apsis release`: what is due and not started, and letting go of what is held."""

import sys
from typing import Annotated

import typer

from apsis.cli.asking import FormatOption, ServerOption, ZoneOption, open_client, print_json
from apsis.cli.exits import USAGE, CommandError
from apsis.cli.when import open_zone


def catch_up(format: FormatOption = "text", server: ServerOption = None, tz: ZoneOption = None) -> None:
    """Show how many runs each job owes, due and not started, the most first; and whether the server holds them."""
    zone = open_zone(tz)
    with open_client(server) as client:
        found = client.catch_up()
    if format == "json":
        print_json(found)
        return
    from apsis.cli import render, render_server

    render.show(render_server.catch_up(found, zone))


def release(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    format: FormatOption = "text",
    server: ServerOption = None,
) -> None:
    """Let go of what a server holds since its start: what fell due starts, oldest first, as pools and limits allow."""
    with open_client(server) as client:
        before = client.catch_up()
        if before.held is not None and not yes:
            _confirm(f"Let {before.runs:,} runs of {before.jobs:,} jobs start ({before.held})?")
        after = client.release()
    if format == "json":
        print_json(after)
    else:
        typer.echo("nothing was held" if before.held is None else f"released {before.runs:,} runs")


def _confirm(question: str) -> None:
    """Ask a person; who is none says --yes."""
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to be asked", USAGE, help="Say --yes.")
    if not typer.confirm(question, err=True):
        raise typer.Abort
