"""`apsis pools`: how full they are."""

from apsis.cli.asking import FormatOption, ServerOption, open_client, print_json


def pools(format: FormatOption = "text", server: ServerOption = None) -> None:
    """Show the pools by name: size, slots taken, how many runs wait for room, and the runs that are in them."""
    with open_client(server) as client:
        found = client.pools()
    if format == "json":
        print_json(found)
        return
    from apsis.cli import render, render_server

    render.show(render_server.pools(found.pools))
