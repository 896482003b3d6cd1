"""The one tree of errors that Apsis raises on purpose.

ApsisError                 code, exit code and HTTP status come with the class
├── NotFound               run, job, revision or output that is not there
├── IllegalTransition      an operation that the state of a run does not allow
├── Held                   what waits until somebody releases the server
├── BadRequest             arguments that a caller can mend: args, times, names
│   └── BadArgs            missing, extra or wrong args of a job
├── BindError              a template of a job does not give a program or condition for these args
├── AgentError             no agent, or an agent that refuses or forgot
├── SecretError            a secret that its file, variable or command does not give; never says its value
├── SyncError              a job repository that cannot be fetched or read; worth another try
└── StoreError             the database: locked, full, corrupt, or of another version
"""

from collections.abc import Iterable


class ApsisError(Exception):
    """What every error of ours has: words, a stable code, and what to do."""

    code = "error"
    status = 500
    exit_code = 70

    def __init__(self, message: str, *, help: str | None = None) -> None:  # noqa: A002 - the field's name on the wire
        super().__init__(message)
        self.message = message
        self.help = help


class NotFound(ApsisError):
    """A thing of a kind with an id is not there; `near` are ids that were perhaps meant."""

    status = 404
    exit_code = 4

    def __init__(self, kind: str, id: str, near: Iterable[str] = ()) -> None:  # noqa: A002
        meant = ", ".join(near)
        super().__init__(f"no {kind} {id!r}", help=f"Did you mean {meant}?" if meant else None)
        self.code = f"{kind}_not_found"


class IllegalTransition(ApsisError):
    """A run in this state does not take this event."""

    code = "illegal_transition"
    status = 409
    exit_code = 5

    def __init__(self, run_id: str, state: str, asked: str) -> None:
        super().__init__(f"run {run_id} is {state}: it cannot be asked to {asked}")


class Held(ApsisError):
    """The server is held since its start; `what` waits for the release."""

    code = "held"
    status = 409
    exit_code = 5

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"the server is held ({reason}): {what}", help="`apsis release` lets go of what is held.")


class BadRequest(ApsisError):
    """The caller asked for something that cannot be; the message says which part."""

    code = "bad_request"
    status = 400
    exit_code = 2


class BadArgs(BadRequest):
    """The args do not fit the params of the job."""

    code = "bad_args"

    def __init__(self, job_id: str, missing: Iterable[str], extra: Iterable[str], params: Iterable[str]) -> None:
        parts = [
            f"missing {', '.join(sorted(missing))}" if missing else "",
            f"unknown {', '.join(sorted(extra))}" if extra else "",
        ]
        wanted = ", ".join(params) or "none"
        super().__init__(
            f"args of job {job_id!r}: {' and '.join(p for p in parts if p)}",
            help=f"The job's params are: {wanted}.",
        )


class BindError(ApsisError):
    """A job's templates do not give a program or condition for a run's args."""

    code = "bind_error"
    status = 422
    exit_code = 1


class AgentError(ApsisError):
    """No agent answers, or the agent refuses."""

    code = "agent_error"
    status = 503
    exit_code = 1


class SecretError(ApsisError):
    """A secret's value does not come; the message names the secret and never says any of its value."""

    code = "secret_error"
    status = 503
    exit_code = 1


class SyncError(ApsisError):
    """A job repository cannot be fetched or read; the next poll tries again."""

    code = "sync_error"
    status = 503
    exit_code = 1


class InUse(ApsisError):
    """Something that only one server may have is another's."""

    code = "in_use"
    status = 409
    exit_code = 5


class StoreError(ApsisError):
    """The database cannot be opened, read or written."""

    code = "store_error"
    status = 503
    exit_code = 70
