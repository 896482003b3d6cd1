"""What goes wrong with asking a server.

ClientError
├── ServerUnreachable      nobody answers there
├── BadAnswer              somebody answers, but no Apsis, or one that we do not understand
├── TimedOut               a run did not end in the time it was given
└── Refused                the server said no; `problem` says why, `code` is stable
    ├── NotFound           404: run, job
    ├── Conflict           409: the run's state does not allow it
    ├── BadRequest         other 4xx: something that the caller can mend
    └── ServerFailed       5xx
"""

from apsis.wire.problem import Problem


class ClientError(Exception):
    """What every error of the client is; `help`, if there is some, says what to do."""

    help: str | None = None


class ServerUnreachable(ClientError):
    """Nobody answers."""

    def __init__(self, server: str, why: str) -> None:
        super().__init__(f"no server at {server}: {why}")
        self.server = server
        self.help = "Start one with `apsis serve`, or name another by --server or APSIS_SERVER."


class BadAnswer(ClientError):
    """The answer is none of an Apsis server."""


class TimedOut(ClientError):
    """A run did not end in time; it goes on."""

    def __init__(self, run_id: str, timeout_s: float) -> None:
        super().__init__(f"run {run_id} has not ended within {timeout_s:g} s; it goes on")
        self.run_id = run_id


class Refused(ClientError):
    """The server did not do it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem
        self.code = problem.code
        self.help = problem.help


class NotFound(Refused):
    """What was asked for is not there."""


class Conflict(Refused):
    """The state does not allow what was asked for."""


class BadRequest(Refused):
    """Something in the request must be mended."""


class ServerFailed(Refused):
    """The server could not do it; perhaps later."""


def refused(problem: Problem) -> Refused:
    """Return the error that a problem is."""
    kinds = {404: NotFound, 409: Conflict}
    return kinds.get(problem.status, ServerFailed if problem.status >= 500 else BadRequest)(problem)
