"""`apsis stats`: the server in numbers."""

from apsis.cli.asking import FormatOption, ServerOption, open_client, print_json


def stats(format: FormatOption = "text", server: ServerOption = None) -> None:
    """Show what the server has in memory and on disk, in numbers."""
    with open_client(server) as client:
        found = client.stats()
    if format == "json":
        print_json(found)
        return
    from apsis.cli import render, render_server

    render.show(render_server.stats(found))
