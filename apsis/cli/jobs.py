"""`apsis jobs` and `apsis job`: what the repository says."""

from typing import Annotated

import typer

from apsis.cli.asking import FormatOption, ServerOption, ZoneOption, open_client, print_json
from apsis.cli.when import open_zone


def jobs(
    prefix: Annotated[str | None, typer.Argument(help="Only jobs whose ids begin so, such as `etl/`.")] = None,
    label: Annotated[str | None, typer.Option(help="Only jobs with this label.")] = None,
    repo: Annotated[str | None, typer.Option(help="Only jobs of this repository (its prefix).")] = None,
    format: FormatOption = "text",
    server: ServerOption = None,
    tz: ZoneOption = None,
) -> None:
    """List jobs by id, with their schedules and next runs."""
    from dataclasses import replace

    zone = open_zone(tz)
    with open_client(server) as client:
        page = client.jobs(prefix=prefix, label=label, repo=repo)
        while page.next is not None:
            more = client.jobs(prefix=prefix, label=label, repo=repo, cursor=page.next)
            page = replace(more, jobs=page.jobs + more.jobs, as_of=page.as_of)
    if format == "json":
        print_json(page)
        return
    from apsis.cli import render

    render.show(render.jobs_table(page.jobs, zone))


def job(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    source: Annotated[bool, typer.Option("--source", help="Print the job's file instead.")] = False,
    format: FormatOption = "text",
    server: ServerOption = None,
    tz: ZoneOption = None,
) -> None:
    """Show one job: schedules, next runs, program, conditions."""
    zone = open_zone(tz)
    with open_client(server) as client:
        found = client.job(job_id)
    if source:
        typer.echo(found.source, nl=not found.source.endswith("\n"))
    elif format == "json":
        print_json(found)
    else:
        from apsis.cli import render

        render.show(render.job_page(found, zone))
