"""`apsis serve`: run the server."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def serve(
    repo: Annotated[
        list[str],
        typer.Option(metavar="[PREFIX=]URL|DIR", help="A job repository to follow; may be given several times."),
    ] = [],  # noqa: B006 - Typer copies it
    branch: Annotated[str | None, typer.Option(help="The branch to follow (default: the remote's HEAD).")] = None,
    poll: Annotated[str | None, typer.Option(help="How often to fetch (default: 5s).")] = None,
    state: Annotated[Path | None, typer.Option(help="Directory of database, outputs and agent.")] = None,
    bind: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where to answer (default: 127.0.0.1:5050; port 0: a free one)."),
    ] = None,
    allow_host: Annotated[
        list[str], typer.Option(metavar="NAME", help="A name by which browsers may address the server.")
    ] = [],  # noqa: B006
    insecure: Annotated[bool, typer.Option(help="Allow an address that others can reach.")] = False,
    archive_after: Annotated[
        str | None, typer.Option(metavar="AGE", help="Move runs to archive.db that ended so long ago, such as 90d.")
    ] = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Start nothing that fell due until it is released by `apsis release`.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="In a new database: run what was due since then (an instant, date, or 12h)."),
    ] = None,
    config: Annotated[Path | None, typer.Option("-c", "--config", help="A YAML file with these options.")] = None,
) -> None:
    """Follow job repositories, run their jobs, and answer API and dashboard.

    Stops on SIGTERM and Ctrl-C; running programs live on in the local agent, and the next start finds them.
    """
    from apsis.domain.errors import ApsisError
    from apsis.service.config import ConfigFile, make_config, read_config_file
    from apsis.service.logs import set_up_logging
    from apsis.service.main import serve as run

    set_up_logging()
    try:
        settings = make_config(
            read_config_file(config) if config is not None else ConfigFile(),
            repos=repo,
            branch=branch,
            poll=poll,
            state=state,
            bind=bind,
            allow_hosts=allow_host,
            insecure=insecure,
            archive_after=archive_after,
            hold=hold,
            since=since,
        )
        code = run(settings, lambda address: typer.echo(f"Apsis serves {address}"))
    except ApsisError as error:
        typer.echo(f"apsis serve: {error.message}", err=True)
        if error.help:
            typer.echo(error.help, err=True)
        raise typer.Exit(error.exit_code) from None
    raise typer.Exit(code)
