"""What a request says: its query, its body, and who sent it; and the JSON that answers it."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from whenever import Instant

from apsis.api.coding import from_json, to_json
from apsis.api.errors import Invalid, Malformed
from apsis.domain.query import RunFilter
from apsis.domain.state import State
from apsis.lib.instant import parse_instant
from apsis.lib.suggest import near

M = TypeVar("M")

MAX_WHO: Final = 64
"""Characters of the name that a client gives to its user."""

ARG: Final = "arg."

REPEATABLE: Final = frozenset({"state", "topics"})
"""Parameters that may be given several times, for several words."""


def answer(message: object, status: int = 200, location: str | None = None) -> Response:
    """Return a message as JSON."""
    headers = {"Location": location} if location else None
    return Response(to_json(message), status, headers, media_type="application/json")


async def body(request: Request, kind: type[M]) -> M:
    """Read the body as JSON of a message; an empty one is `{}`."""
    raw = await request.body() or b"{}"
    try:
        return from_json(kind, raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
    why = str(first["msg"])
    if first["type"] == "json_invalid":
        raise Malformed(f"the body is not JSON: {why}")
    if not first["loc"]:
        raise Malformed("the body must be a JSON object")
    raise Invalid(".".join(map(str, first["loc"])), why)


def who(request: Request) -> str:
    """Return who acts, for the log: what the client says of its user, else `api`."""
    sent = request.headers.get("x-apsis-who", "").encode("latin-1").decode("utf-8", "replace")
    told = "".join(c for c in sent if c.isprintable()).strip()
    return told[:MAX_WHO] or "api"


def short(name: str, text: str | None, most: int) -> None:
    """Raise Invalid for a text that is longer than makes sense: it is kept for ever, and sent to every reader."""
    if text is not None and len(text) > most:
        raise Invalid(name, f"has more than {most:,} characters")


def flag(request: Request, name: str, default: bool) -> bool:
    """Return a yes or no of the query, `1` or `0`."""
    text = request.query_params.get(name)
    if text not in {None, "0", "1"}:
        raise Invalid(name, f"must be 0 or 1, not {text!r}")
    return default if text is None else text == "1"


def known_parameters(request: Request, known: Iterable[str], prefix: str | None = None) -> None:
    """Raise Invalid for a query parameter that the resource does not have: a slip must not widen an answer."""
    known = tuple(known)
    for name in request.query_params:
        if name not in REPEATABLE and len(request.query_params.getlist(name)) > 1:
            raise Invalid(name, "is given twice")
        if name not in known and not (prefix and name.startswith(prefix)):
            meant = near(name, known)
            raise Invalid(name, "no such parameter", help=f"Did you mean {', '.join(meant)}?" if meant else None)


def number(request: Request, name: str, default: int, *, least: int = 0, most: int) -> int:
    """Return a whole number of the query; more than `most` counts as `most`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    digits = text.lstrip("0") or "0"
    if not (text.isascii() and text.isdigit()) or (len(digits) < 19 and int(digits) < least):
        raise Invalid(name, f"must be a whole number of at least {least}")
    return min(int(digits), most) if len(digits) < 19 else most


def choices(request: Request, name: str, known: Iterable[str]) -> frozenset[str]:
    """Return the words of a parameter, comma-separated or repeated; each must be a known one."""
    known = tuple(known)
    words = {word.strip() for text in request.query_params.getlist(name) for word in text.split(",")} - {""}
    for word in sorted(words - set(known)):
        raise Invalid(name, f"no {name} {word!r}", help=f"It is one of {', '.join(known)}.")
    return frozenset(words)


def instant(name: str, text: str | None) -> Instant | None:
    """Read an instant."""
    if text is None:
        return None
    try:
        return parse_instant(text.replace(" ", "+"))  # a `+` in a query that was not encoded arrives as a space
    except ValueError:
        raise Invalid(name, f"{text!r} is no instant", help="Write it like 2026-11-24T12:00:00Z.") from None


def run_filter(request: Request) -> RunFilter:
    """Read which runs are wanted."""
    query: Mapping[str, str] = request.query_params
    order = query.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise Invalid("order", f"no order {order!r}", help="It is asc or desc.")
    return RunFilter(
        job_id=query.get("job_id"),
        states=frozenset(State(name) for name in choices(request, "state", State)),
        since=instant("since", query.get("since")),
        until=instant("until", query.get("until")),
        args={name.removeprefix(ARG): value for name, value in query.items() if name.startswith(ARG)} or None,
        rerun_of=query.get("rerun_of"),
        newest_first=order == "desc",
    )
