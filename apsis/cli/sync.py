"""`apsis sync`: fetch now."""

import typer

from apsis.cli.asking import FormatOption, ServerOption, ZoneOption, open_client, print_json
from apsis.cli.exits import FAILED
from apsis.cli.when import open_zone


def sync(format: FormatOption = "text", server: ServerOption = None, tz: ZoneOption = None) -> None:
    """Fetch the job repositories now; wait until what was fetched is applied or rejected.

    Exits with 1 if a revision was rejected or a repository could not be fetched.
    """
    zone = open_zone(tz)
    with open_client(server) as client:
        page = client.sync()
    if format == "json":
        print_json(page)
    else:
        from apsis.cli import render

        render.show(render.repos_page(page, zone))
    if any(repo.status in {"rejected", "fetch_failed"} for repo in page.repos):
        raise typer.Exit(FAILED)
