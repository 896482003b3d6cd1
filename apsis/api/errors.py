"""What goes wrong with a request, as `application/problem+json`.

Beside the tree of `apsis.domain.errors`, the edge has its own:

BadRequest
├── Invalid                a field or parameter with a value that cannot be; 422
├── Malformed              a body that is no JSON object; 400
├── BodyTooLarge           413
├── WrongContentType       415
├── UnknownHost            421
└── ForeignOrigin          403
"""

import logging
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apsis.api.coding import to_json
from apsis.domain.errors import ApsisError, BadRequest
from apsis.lib.seam import failure
from apsis.wire.problem import Problem

log = logging.getLogger(__name__)

MAX_WORDS = 2_000
"""Characters of a problem's detail: a message may quote what somebody sent."""


class Invalid(BadRequest):
    """A value that cannot be; the message begins with the field."""

    code = "invalid"
    status = 422

    def __init__(self, field: str, why: str, *, help: str | None = None) -> None:  # noqa: A002 - as in ApsisError
        super().__init__(f"{field}: {why}", help=help)


class Malformed(BadRequest):
    """The body cannot be read."""

    code = "malformed"


class BodyTooLarge(BadRequest):
    """The body is larger than any that makes sense."""

    code = "body_too_large"
    status = 413


class WrongContentType(BadRequest):
    """The body does not call itself JSON, so that a web page's form could have sent it."""

    code = "content_type"
    status = 415


class UnknownHost(BadRequest):
    """The request is addressed to a name that is not ours, as after DNS rebinding."""

    code = "unknown_host"
    status = 421


class ForeignOrigin(BadRequest):
    """The request comes from a web page of somebody else."""

    code = "foreign_origin"
    status = 403


def problem(status: int, detail: str, code: str, help: str | None = None) -> Response:  # noqa: A002
    """Return a problem as the answer to a request."""
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail[:MAX_WORDS],
        code=code,
        help=help,
    )
    return Response(to_json(body), status, media_type="application/problem+json")


def of_ours(error: ApsisError) -> Response:
    """Answer an error of the tree: status and code come with its class."""
    if error.status >= 500:
        log.warning("request_refused: %s (%s)", error.message, error.code)
    return problem(error.status, error.message, error.code, error.help)


async def answer_ours(_request: Request, error: Exception) -> Response:
    """Answer an error of the tree that a handler raised."""
    assert isinstance(error, ApsisError)  # noqa: S101 - registered for this class
    return of_ours(error)


async def answer_http(request: Request, error: Exception) -> Response:
    """Answer what routing finds: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    known = {404: ("not_found", f"no {request.url.path} here"), 405: ("method_not_allowed", "")}
    code, detail = known.get(error.status_code, (f"http_{error.status_code}", error.detail))
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"{request.url.path} does not take {request.method}, only {allowed}"
    answer = problem(error.status_code, detail, code)
    answer.headers.update(error.headers or {})
    return answer


class Seam:
    """Turn a bug in a handler into that request's answer; the log has the traceback, the answer has not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI asks."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:  # noqa: BLE001 - one request's seam
            failure("request", f"{scope['method']} {scope['path']}", error)
            if not started:
                answer = problem(500, "the server failed to answer; its log says why", "internal")
                await answer(scope, receive, send)
