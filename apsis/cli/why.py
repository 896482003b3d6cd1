"""`apsis why`: what a run waits for, or why it ended as it did."""

from apsis.cli.asking import FormatOption, RunArgument, ServerOption, ZoneOption, find_run_id, open_client, print_json
from apsis.cli.when import open_zone


def why(run: RunArgument, format: FormatOption = "text", server: ServerOption = None, tz: ZoneOption = None) -> None:
    """Say why a run does not start: what it waits for, what that said last, and which runs are in its way.

    Of a scheduled run it says when it is due and why then, of a finished one what its log gives as the reason.
    """
    zone = open_zone(tz)
    with open_client(server) as client:
        found = client.get_run(find_run_id(client, run))
        held = client.health().held
    if format == "json":
        print_json(found)
        return
    from apsis.cli import render, render_why

    render.show(render_why.why(found, held, zone))
