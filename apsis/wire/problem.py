"""Errors as `application/problem+json` (RFC 9457)."""

from apsis.wire.message import message, said


@message
class Problem:
    """What went wrong with a request, in words, and a stable code for programs."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str = said("Stable: run_not_found, job_not_found, illegal_transition, bad_args, …")
    help: str | None = None
