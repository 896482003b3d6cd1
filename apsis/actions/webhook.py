"""Webhooks: one POST, signed if there is a key, never sent on to where a redirect points."""

import asyncio
import hashlib
import hmac
import json
import os
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from whenever import Instant

from apsis import __version__
from apsis.actions.filling import filled
from apsis.actions.sending import FEW, Problem
from apsis.actions.words import headline, link_to
from apsis.domain.action import Delivery, Webhook
from apsis.domain.errors import BindError
from apsis.domain.secret import Secret
from apsis.engine.ports import Secrets
from apsis.lib.clock import Clock

if TYPE_CHECKING:
    import httpx

ANSWER_WITHIN_S: Final = 10.0
"""From connecting to the status; a receiver that works longer should answer first."""
READ_LIMIT: Final = 1024
"""Bytes of an answer that are read: enough for the reason of a refusal."""
WORDS: Final = 200
"""Characters of an answer that are shown."""
LONGEST_AFTER_S: Final = 6 * 3600.0
"""A destination that asks for more patience is asked again nevertheless."""
WAIT: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""The destination takes nothing now, and may say until when."""
PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, *WAIT})
"""Statuses from 300 to 499 that say nothing against the message."""


class Webhooks:
    """Posts messages; `url` is where people reach this server, for links."""

    def __init__(self, secrets: Secrets, url: str | None, clock: Clock) -> None:
        self._secrets = secrets
        self._url = url
        self._clock = clock
        self._trust: ssl.SSLContext | None = None

    def destination(self, message: Webhook) -> str:
        """Return the URL, or its name."""
        return str(message.url)

    async def send(self, delivery: Delivery) -> Problem | None:
        """Post it; None: the answer was 2xx. Raises ApsisError if a secret does not come."""
        message = delivery.message
        assert isinstance(message, Webhook)  # noqa: S101 - what it is registered for
        try:
            body = await body_of(message, delivery.event, link_to(self._url, delivery.event))
        except BindError as error:
            return Problem(f"body: {error.message}", tries=1)
        headers = {
            "Content-Type": "application/json" if _is_json(body) else "text/plain; charset=utf-8",
            "User-Agent": f"apsis/{__version__}",
            "Idempotency-Key": delivery.key,
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        if message.secret is not None:
            key = await self._secrets.value(message.secret.secret)
            headers |= signature_headers(key, int(self._clock.now().timestamp()), body)
        if isinstance(message.url, Secret):
            url, hidden = await self._secrets.value(message.url.secret), message.url
        else:
            url, hidden = message.url, None
        return await self._post(url, hidden, headers, body)

    async def _post(self, url: str, hidden: Secret | None, headers: Mapping[str, str], body: bytes) -> Problem | None:
        """Post; nothing that the other side or a library says is repeated if the URL is a secret."""
        where = f"the URL of secret {hidden.secret}" if hidden else _host(url)
        if self._trust is None:
            self._trust = await asyncio.to_thread(_prepare)
        import httpx  # noqa: PLC0415 - prepared

        try:
            async with (
                asyncio.timeout(ANSWER_WITHIN_S),
                httpx.AsyncClient(verify=self._trust, timeout=ANSWER_WITHIN_S) as client,
                client.stream("POST", url, content=body, headers=headers) as response,
            ):
                return await self._judge(where, hidden is not None, response)
        except (TimeoutError, httpx.TimeoutException):
            return Problem(f"{where}: no answer within {ANSWER_WITHIN_S:g} s", away=True)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, ValueError, TypeError) as error:
            words = "" if hidden else f": {_line(str(error))}"
            return Problem(f"{where} is nothing that can be posted to{words}", tries=FEW)
        except (httpx.HTTPError, OSError) as error:
            words = type(error).__name__ if hidden else _line(_reason(error))
            return Problem(f"{where} cannot be reached: {words}", away=True)

    async def _judge(self, where: str, hidden: bool, response: "httpx.Response") -> Problem | None:
        if response.is_success:
            return None
        status = response.status_code
        words = f"{where} answers {_status_in_words(status)}"
        if not hidden and (said := await self._beginning(response)):
            words += f": {said}"
        if status == HTTPStatus.GONE:
            return Problem(words, tries=1)
        if status < 500 and status not in PASSING:
            return Problem(words, tries=FEW)
        after_s = retry_after(response.headers.get("Retry-After"), self._clock.now()) if status in WAIT else 0.0
        return Problem(words, after_s=after_s, away=status in WAIT)

    async def _beginning(self, response: "httpx.Response") -> str:
        data = b""
        async for chunk in response.aiter_raw(READ_LIMIT):
            data += chunk
            if len(data) >= READ_LIMIT:
                break
        return _line(self._secrets.mask(data[:READ_LIMIT]).decode(errors="replace"))


def _prepare() -> ssl.SSLContext:
    """Load the library, and read the system's certificates: 0.2 s that few servers need, and no event loop has."""
    import httpx  # noqa: F401, PLC0415

    return ssl.create_default_context()


async def body_of(message: Webhook, event: Mapping[str, Any], link: str | None) -> bytes:
    """Return what is posted; raise BindError."""
    own = await filled(message.body, event) if message.body is not None else None
    if message.format == "slack":
        text = own if own is not None else _for_slack(headline(event), link)
        return _json({"text": text})
    if own is not None:
        return own.encode(errors="replace")
    return _json({**event, "text": headline(event), **({"url": link} if link else {})})


def signature_headers(key: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """Return the headers by which a receiver that has the key knows whose the body is, and from when."""
    digest = hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Apsis-Timestamp": str(timestamp), "X-Apsis-Signature": f"sha256={digest}"}


def retry_after(header: str | None, now: Instant) -> float:
    """Return the seconds that a Retry-After header asks for, RFC 9110, 10.2.3; 0 if it says nothing."""
    if header is None:
        return 0.0
    if header.strip().isdecimal():
        return min(float(header), LONGEST_AFTER_S)
    try:
        seconds = parsedate_to_datetime(header).timestamp() - now.timestamp()
    except ValueError:
        return 0.0
    return min(max(0.0, seconds), LONGEST_AFTER_S)


def _for_slack(text: str, link: str | None) -> str:
    for char, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(char, written)
    return f"<{link}|{text}>" if link else text


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "the URL"
    except ValueError:
        return "the URL"


def _status_in_words(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _reason(error: BaseException) -> str:
    # What httpx says of a refused connection is "All connection attempts failed"; the socket knows why.
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and (error.errno or 0) > 0:
        return os.strerror(error.errno or 0)
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _line(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= WORDS else line[: WORDS - 1] + "…"
