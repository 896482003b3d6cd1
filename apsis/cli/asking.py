"""What commands that ask a server have in common: options, the client, and ids as people type them."""

import getpass
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from apsis.cli.exits import NOT_FOUND, USAGE, CommandError

if TYPE_CHECKING:
    from apsis.client import Client

ServerOption = Annotated[
    str | None,
    typer.Option("--server", envvar="APSIS_SERVER", metavar="URL", help="The server (http://127.0.0.1:5050)."),
]
ZoneOption = Annotated[
    str | None, typer.Option("--tz", envvar="APSIS_TZ", metavar="ZONE", help="Show and read times in this zone.")
]
Format = Literal["text", "json"]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or the beginning of it.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="WORDS", help="Why, for the run's log.")]

ID_LENGTH: Final = 17
"""A whole run id: `r` and 16 characters."""


def open_client(server: str | None) -> "Client":
    """Return a client that acts in the name of the user."""
    from apsis.client import Client

    return Client(server, who=_user())


def find_run_id(client: "Client", text: str) -> str:
    """Return the id of the run that `text` is the beginning of."""
    if len(text) >= ID_LENGTH:
        return text
    found = client.runs_like(text)
    if not found:
        raise CommandError(f"no run {text!r}", NOT_FOUND, help="`apsis runs` lists them.")
    if len(found) > 1:
        listed = ", ".join(f"{run.run_id} ({run.job_id} {run.state})" for run in found[:5])
        more = ", …" if len(found) > 5 else ""
        raise CommandError(f"several runs begin with {text!r}", USAGE, help=f"Type more of one: {listed}{more}")
    return found[0].run_id


def parse_args(texts: Sequence[str]) -> dict[str, str]:
    """Read NAME=VALUE words."""
    args = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CommandError(f"{text!r} is no NAME=VALUE", USAGE)
        if name in args:
            raise CommandError(f"arg {name!r} is given twice", USAGE)
        if not text.isprintable() and any("\ud800" <= c <= "\udfff" for c in text):
            raise CommandError(f"arg {name!r} is not UTF-8: args are text", USAGE)
        args[name] = value
    return args


def print_json(message: Any) -> None:
    """Print a message as JSON."""
    typer.echo(json.dumps(asdict(message), indent=2, ensure_ascii=False))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "cli"
