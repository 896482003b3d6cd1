"""Who may ask at all: no web page of somebody else can reach the server, let alone start a job."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apsis.api.errors import BodyTooLarge, ForeignOrigin, UnknownHost, WrongContentType, of_ours
from apsis.domain.errors import BadRequest

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

MAX_BODY_BYTES: Final = 1024 * 1024
"""An inline job with a long script is some 100 kB; nothing sensible is ten times that."""

DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


class Guard:
    """Check Host, Origin, content type and size before anything else sees the request."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._hosts = LOOPBACK | {name.lower().strip("[]") for name in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI asks."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope["method"], Headers(scope=scope))
        except BadRequest as refused:
            await of_ours(refused)(scope, receive, _with_headers(send))
            return
        await self._app(scope, _limited(receive), _with_headers(send))

    def _check(self, method: str, headers: Headers) -> None:
        host = headers.get("host", "")
        name, port = split_host(host)
        if name not in self._hosts or not (port == "" or (port.isascii() and port.isdigit())):
            raise UnknownHost(
                f"this server is not {host!r}",
                help="If it should be, add the name to the server's allowed hosts (`apsis serve --allow-host NAME`).",
            )
        origin = headers.get("origin")
        if origin is not None and not own_origin(origin, host):
            raise ForeignOrigin(f"requests from pages of {origin!r} are refused")
        if method in SAFE:
            return
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise WrongContentType(
                f"{method} needs the content type application/json, not {kind or 'none'}",
                help="Send `Content-Type: application/json`, and `{}` if there is nothing to say.",
            )
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > MAX_BODY_BYTES:
            raise _too_large()


def split_host(host: str) -> tuple[str, str]:
    """Split a Host header into name and port, both without decoration; the port may be empty."""
    host = host.strip().lower()
    if host.startswith("["):
        name, closed, rest = host[1:].partition("]")
        return (name if closed else host), rest.removeprefix(":")
    name, _, port = host.partition(":")
    return name.removesuffix("."), port


def own_origin(origin: str, host: str) -> bool:
    """Return whether a page of `origin` was served under the very `host` that it now asks."""
    scheme, separator, rest = origin.lower().partition("://")
    if not separator or scheme not in DEFAULT_PORTS or "/" in rest:
        return False
    default = DEFAULT_PORTS[scheme]
    (name, port), (own_name, own_port) = split_host(rest), split_host(host)
    return (name, port or default) == (own_name, own_port or default)


def _limited(receive: Receive) -> Receive:
    left = MAX_BODY_BYTES

    async def limited() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _too_large()
        return message

    return limited


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"a body may have {MAX_BODY_BYTES} bytes at most")


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "same-origin"
            headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return with_headers
