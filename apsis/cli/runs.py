"""`apsis runs`, `show` and `log`: what ran and what will."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from apsis.cli.asking import (
    FormatOption,
    RunArgument,
    ServerOption,
    ZoneOption,
    find_run_id,
    open_client,
    parse_args,
    print_json,
)
from apsis.cli.when import now, open_zone

if TYPE_CHECKING:
    from apsis.client import Client
    from apsis.wire.run import RunPage

PAGE: Final = 1000
"""Runs of one request; more are fetched page by page."""

SKEW_S: Final = 60
"""How far ahead of ours the server's clock may be before a run that it just made is taken for a coming one."""


def runs(
    job: Annotated[str | None, typer.Option(metavar="JOB", help="Only runs of this job.")] = None,
    state: Annotated[list[str] | None, typer.Option(metavar="STATE", help="Only in this state; repeatable.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Due at or after; `2h` is two hours ago.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Due before.")] = None,
    arg: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Only with this arg; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
    coming: Annotated[bool, typer.Option("--coming", help="Coming runs only, soonest first.")] = False,
    times: Annotated[
        bool, typer.Option("--times", help="Show when runs started and ended, and how long it took.")
    ] = False,
    format: FormatOption = "text",
    server: ServerOption = None,
    tz: ZoneOption = None,
) -> None:
    """List runs, newest schedule time first.

    Coming runs are left out, unless you ask by --coming, --state, --since or --until.
    """
    from apsis.lib.instant import format_instant

    zone = open_zone(tz)
    if coming:
        state = ["scheduled"]
    elif not (state or since or until):
        until = format_instant(now().add(seconds=SKEW_S))
    with open_client(server) as client:
        page = _collect(
            client,
            job_id=job,
            states=tuple(name for text in state or () for name in text.split(",")),
            since=zone.read(since, ago=True) if since else None,
            until=zone.read(until, ago=True) if until else None,
            args=parse_args(arg or ()),
            limit=limit,
            oldest_first=coming,
        )
    if format == "json":
        print_json(page)
        return
    from apsis.cli import render

    render.show(render.runs_table(page.runs, zone, times=times))
    if page.next is not None:
        typer.echo(f"({len(page.runs)} shown, there are more: --limit, --since, --until)", err=True)


def show(run: RunArgument, format: FormatOption = "text", server: ServerOption = None, tz: ZoneOption = None) -> None:
    """Show one run: state, times, program, conditions, what may be done to it."""
    zone = open_zone(tz)
    with open_client(server) as client:
        found = client.get_run(find_run_id(client, run))
    if format == "json":
        print_json(found)
        return
    from apsis.cli import render

    render.show(render.run_page(found, zone))


def log(run: RunArgument, format: FormatOption = "text", server: ServerOption = None, tz: ZoneOption = None) -> None:
    """Show what happened to a run, when, and by whom."""
    zone = open_zone(tz)
    with open_client(server) as client:
        found = client.log(find_run_id(client, run))
    if format == "json":
        print_json(found)
        return
    from apsis.cli import render

    render.show(render.log_table(found.log, zone))


def _collect(
    client: "Client",
    *,
    job_id: str | None,
    states: tuple[str, ...],
    since: str | None,
    until: str | None,
    args: dict[str, str],
    limit: int,
    oldest_first: bool,
) -> "RunPage":
    """Return one page of `limit` runs, however many requests that takes."""

    def ask(count: int, cursor: str | None) -> "RunPage":
        return client.runs(
            job_id=job_id,
            states=states,
            since=since,
            until=until,
            args=args,
            limit=min(count, PAGE),
            cursor=cursor,
            oldest_first=oldest_first,
        )

    page = ask(limit, None)
    while page.next is not None and len(page.runs) < limit:
        more = ask(limit - len(page.runs), page.next)
        page = replace(more, runs=page.runs + more.runs, as_of=page.as_of)
    return page
