"""The command `apsis`: which commands there are. A command's module is imported when the command is used."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import typer
from typer.core import TyperGroup

import apsis

if TYPE_CHECKING:
    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter

PLAIN: Final[dict[str, Any]] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "add_completion": False,
}
"""Rich help pages, tracebacks and completion cost 100 ms of every start."""

# httpx imports its own command line where click and rich are installed: 50 ms and 3 MiB, for nothing here.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]


class Entry(NamedTuple):
    """Where a command is, and what it does in one line."""

    module: str
    function: str
    help: str


SECTIONS: Final[dict[str, dict[str, Entry]]] = {
    "Server and job repository": {
        "serve": Entry("serve", "serve", "Run the server, its API and its dashboard."),
        "check-job": Entry("check_job", "check_job", "Check job files, as CI does; needs no server."),
        "sync": Entry("sync", "sync", "Fetch the job repositories now, and say what became of them."),
        "catch-up": Entry("catch_up", "catch_up", "Show what is due and not started, and whether it is held."),
        "release": Entry("catch_up", "release", "Let go of what a server holds since its start."),
        "pools": Entry("pools", "pools", "Show how full the pools are, and who is in them."),
        "stats": Entry("stats", "stats", "Show the server in numbers."),
    },
    "Jobs": {
        "jobs": Entry("jobs", "jobs", "List jobs."),
        "job": Entry("jobs", "job", "Show one job: schedules, next runs, definition."),
    },
    "Runs": {
        "runs": Entry("runs", "runs", "List runs."),
        "show": Entry("runs", "show", "Show one run."),
        "why": Entry("why", "why", "Say why a run does not start, or why it ended as it did."),
        "log": Entry("runs", "log", "Show what happened to a run, and by whom."),
        "output": Entry("output", "output", "Print a run's output, byte for byte."),
        "run": Entry("run", "run", "Run a job, now or later; wait for it if you like."),
        "start": Entry("operate", "start", "Start a scheduled or waiting run now."),
        "skip": Entry("operate", "skip", "Skip a scheduled or waiting run."),
        "stop": Entry("operate", "stop", "Stop a starting or running run."),
        "rerun": Entry("operate", "rerun", "Run the same job with the same args again."),
        "mark": Entry("operate", "mark", "Give a finished run another final state."),
    },
    "State directory": {
        "db": Entry("db", "db", "Back up, restore, check and migrate a server's database."),
        "archive": Entry("archive", "archive", "Move old runs of a stopped server to another database."),
    },
    "Other": {
        "version": Entry("version", "version", "Show the version, the server's too if one is named."),
    },
}

COMMANDS: Final = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class Commands(TyperGroup):
    """The commands, by name; only the one that is used is loaded."""

    def list_commands(self, ctx: "Context") -> list[str]:  # noqa: ARG002 - as the group asks
        """Return the names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":  # noqa: ARG002
        """Load a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found = getattr(import_module(f"apsis.cli.{entry.module}"), entry.function)
        if isinstance(found, typer.Typer):  # a group of commands
            return typer.main.get_command(found)
        one = typer.Typer(**PLAIN)
        one.command(cmd_name)(found)
        return typer.main.get_command(one)

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:  # noqa: ARG002
        """Write the sections without loading a command."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(9), entry.help) for name, entry in commands.items()])

    def invoke(self, ctx: "Context") -> Any:
        """Run the command, and turn what goes wrong into words and an exit code."""
        from apsis.cli.exits import guarded

        self.commands = cast("Any", dict.fromkeys(COMMANDS))  # only names are needed, for "did you mean"
        return guarded(lambda: super(Commands, self).invoke(ctx))


app = typer.Typer(cls=Commands, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}, **PLAIN)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"apsis {apsis.__version__}")
        raise typer.Exit


@app.callback()
def _apsis(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Apsis runs jobs on schedules; jobs are files in a git repository."""


def main() -> None:
    """Run the command that the process was started with."""
    app(prog_name="apsis")
