"""How commands end: one table of exit codes, and words that say what, which and what to do."""

import errno
import io
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import typer
from typer.exceptions import TyperException

from apsis.client import errors
from apsis.domain.errors import ApsisError

T = TypeVar("T")

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
NOT_FOUND: Final = 4
CONFLICT: Final = 5
BROKEN: Final = 70
TIMED_OUT: Final = 124
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

BY_STATE: Final = {"success": OK, "failure": FAILED, "error": FAILED, "skipped": FAILED}
"""How a command ends that waited for a run."""

BY_ERROR: Final[dict[type[errors.ClientError], int]] = {
    errors.ServerUnreachable: UNREACHABLE,
    errors.BadAnswer: UNREACHABLE,
    errors.TimedOut: TIMED_OUT,
    errors.NotFound: NOT_FOUND,
    errors.Conflict: CONFLICT,
    errors.BadRequest: USAGE,
    errors.ServerFailed: BROKEN,
}

BY_CODE: Final = {"bind_error": FAILED, "agent_error": FAILED, "sync_error": FAILED}
"""Problems whose code says more than their class."""


class CommandError(Exception):
    """What a command finds out by itself."""

    def __init__(self, message: str, exit_code: int, *, help: str | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.help = help


def guarded(command: Callable[[], T]) -> T:
    """Run a command; what it raises becomes words on stderr and an exit code."""
    try:
        _be_lenient()
        answer = command()
        sys.stdout.flush()
    except (typer.Exit, typer.Abort, TyperException):
        raise
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        _forget_stdout()
        raise typer.Exit(BROKEN_PIPE) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise typer.Exit(_told(error)) from None
        _forget_stdout()
        typer.echo(f"apsis: the output cannot be written: {error.strerror}", err=True)
        raise typer.Exit(BROKEN) from None
    except Exception as error:  # noqa: BLE001 - the seam of one command
        raise typer.Exit(_told(error)) from None
    return answer


def _told(error: Exception) -> int:
    """Say what went wrong; return the exit code."""
    match error:
        case CommandError():
            code, help_ = error.exit_code, error.help
        case errors.Refused():
            code, help_ = BY_CODE.get(error.code, BY_ERROR[type(error)]), error.help
        case errors.ClientError():
            code, help_ = BY_ERROR[type(error)], error.help
        case ApsisError():
            code, help_ = error.exit_code, error.help
        case _:
            traceback.print_exception(error)
            code, help_ = BROKEN, "This is a bug of Apsis; please report it with the lines above."
    typer.echo(f"apsis: {error or type(error).__name__}", err=True)
    if help_:
        typer.echo(help_, err=True)
    return code


def _be_lenient() -> None:
    """Write what a terminal's alphabet lacks in escapes, and let a closed stdout be: neither is a reason to fail."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - it is stdout until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _forget_stdout() -> None:
    """Let the interpreter's last flush go nowhere: the reader of our output has left."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
