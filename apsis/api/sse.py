"""Server-Sent Events on the wire, and the response that carries a stream of them.

sse-starlette's EventSourceResponse would carry our bytes too. It costs five tasks a connection (this: three), polls
each half second for the shutdown, patches `uvicorn.Server.handle_exit` when imported, and cannot say `bye` last; so
the response is our own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from apsis.api.coding import to_json
from apsis.lib.tasks import Tasks
from apsis.wire.events import Bye

log = logging.getLogger(__name__)

PING_S: Final = 5.0
"""How often a silent stream says that it lives; clients give up after three times as long."""

SEND_LIMIT_S: Final = 30.0
"""How long a reader whose buffers are full may take before it is cut off; it can come back and resume."""

RETRY: Final = b"retry: 1000\n\n"
"""Browsers reconnect after a second."""


class Message(Protocol):
    """A message of the wire with the name of its event."""

    event: ClassVar[str]


def encode(message: Message, event_id: str | None = None) -> bytes:
    """Return the event as it goes over the wire; JSON has no raw newlines, so the data is one line."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return b"%sevent: %s\ndata: %s\n\n" % (head.encode(), message.event.encode(), to_json(message))


Write = Callable[[bytes], Awaitable[None]]


class Feed(Protocol):
    """What a stream sends."""

    async def run(self, write: Write) -> None:
        """Write everything; returns when there will be no more. Is cancelled when the reader or the server goes."""
        ...

    def ping(self) -> bytes:
        """Return the heartbeat."""
        ...


class EventStream(Response):
    """Send a feed until it ends, the reader goes, or the server stops; the last two cases never wait for the feed."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, closing: asyncio.Event) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._feed = feed
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI asks."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return

        async def write(data: bytes, more: bool = True) -> None:
            async with asyncio.timeout(SEND_LIMIT_S):
                await send({"type": "http.response.body", "body": data, "more_body": more})

        try:
            if await self._stream(receive, write):
                await write(encode(Bye()), more=False)
        except TimeoutError:
            log.info("stream_stalled: a reader of %s took nothing for %s s", scope["path"], SEND_LIMIT_S)

    async def _stream(self, receive: Receive, write: Write) -> bool:
        """Stream until one of the three ends; return whether somebody is there to hear `bye`."""
        tasks = Tasks("stream")
        try:
            await write(RETRY)
            feed = tasks.start(self._fed(write), "feed")
            gone = tasks.start(_disconnected(receive), "reader")
            closing = tasks.start(self._closing.wait(), "closing")
            ends = {feed, gone, closing}
            while not (await asyncio.wait(ends, timeout=PING_S, return_when=asyncio.FIRST_COMPLETED))[0]:
                await write(self._feed.ping())
            if feed.done() and not feed.result():
                raise TimeoutError
            return not gone.done()
        finally:
            await tasks.close()

    async def _fed(self, write: Write) -> bool:
        stalled = False
        try:
            await self._feed.run(write)
        except* TimeoutError:  # told once, by the response
            stalled = True
        return not stalled


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
