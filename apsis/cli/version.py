"""`apsis version`: which program this is."""

import json

import typer

import apsis
from apsis.cli.asking import FormatOption, ServerOption, open_client


def version(format: FormatOption = "text", server: ServerOption = None) -> None:
    """Show the version; if a server is named (--server, APSIS_SERVER), its version too."""
    versions = {"apsis": apsis.__version__}
    if server:
        with open_client(server) as client:
            versions["server"] = client.health().version
    if format == "json":
        typer.echo(json.dumps(versions))
    else:
        for name, number in versions.items():
            typer.echo(f"{name} {number}")
