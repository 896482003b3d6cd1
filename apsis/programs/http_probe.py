"""Asking an URL: one GET by the server, of which only the status counts."""

import asyncio
import os
import socket
import ssl
from collections.abc import Collection
from typing import Final

from apsis import __version__
from apsis.domain.condition import Answer

AT_ONCE: Final = 16
"""Requests under way: servers that are slow to answer keep that many sockets open and no more."""
WORDS: Final = 200
"""Characters of foreign text that are shown."""
USER_AGENT: Final = f"apsis/{__version__} (condition)"


class HttpProbe:
    """Asks URLs. Nothing is kept from one to the next: no connection, no cookie."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._trust: ssl.SSLContext | None = None

    async def ask(self, url: str, status: Collection[int], within_s: float) -> Answer:
        """Answer whether a GET gives one of the status codes; a redirect is not followed, the body is not read."""
        async with self._slots:
            if self._trust is None:
                self._trust = await asyncio.to_thread(_prepare)
            import httpx  # noqa: PLC0415 - prepared

            client = httpx.AsyncClient(
                verify=self._trust, timeout=within_s, headers={"User-Agent": USER_AGENT, "Connection": "close"}
            )
            try:
                async with asyncio.timeout(within_s), client, client.stream("GET", url) as response:
                    seen = in_few_words(f"{response.status_code} {response.reason_phrase}")
                    return Answer(response.status_code in status, seen)
            except (TimeoutError, httpx.TimeoutException):
                return Answer(False, f"no answer within {within_s:g} s", broken=True)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                return Answer(False, in_few_words(_reason(error)), broken=True)


def _prepare() -> ssl.SSLContext:
    """Load the library, and read the system's certificates: 0.2 s that few servers need, and no event loop has."""
    import httpx  # noqa: F401, PLC0415

    return ssl.create_default_context()


def in_few_words(text: str) -> str:
    """Return one line of printable text, cut to WORDS characters."""
    line = "".join(c if c.isprintable() else " " for c in text).strip()
    return line if len(line) <= WORDS else line[: WORDS - 1] + "…"


def _reason(error: Exception) -> str:
    # What httpx says of a refused connection is "All connection attempts failed"; the socket knows why.
    deepest: BaseException = error
    while (cause := _cause(deepest)) is not None:
        deepest = cause
    if isinstance(deepest, ssl.SSLError | socket.gaierror):
        return deepest.strerror or str(error)
    if isinstance(deepest, OSError) and deepest.errno:
        return os.strerror(deepest.errno)
    return str(error) or type(error).__name__


def _cause(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__cause__ or error.__context__
