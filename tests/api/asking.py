"""Ask an ASGI application: whole answers by httpx, streams event by event with a reader that the test can hold."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.types import ASGIApp, Message

BASE = "http://127.0.0.1:5050"


@asynccontextmanager
async def asking(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


def ask(app: ASGIApp, method: str, path: str, **more: Any) -> httpx.Response:
    """Ask once, in a loop of its own."""

    async def once() -> httpx.Response:
        async with asking(app) as client:
            return await client.request(method, path, **more)

    return asyncio.run(once())


@dataclass(frozen=True)
class Event:
    name: str
    data: Any
    id: str | None


class Reader:
    """One reader of a stream. While it is held, the server's writes wait, as behind full buffers."""

    answering: "asyncio.Task[None]"

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.chunks = 0
        self.bytes = 0
        self.ended = asyncio.Event()
        self.blocked = asyncio.Event()
        self._gone = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def leave(self) -> None:
        self._gone.set()

    async def next(self, *names: str) -> Event:
        """Return the next event, or the next one of these names."""
        async with asyncio.timeout(10):
            while True:
                event = await self._events.get()
                if not names or event.name in names:
                    return event

    async def until(self, name: str) -> list[Event]:
        """Return all events up to and including the first of this name."""
        found = [await self.next()]
        while found[-1].name != name:
            found.append(await self.next())
        return found

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if not self._open.is_set():
            self.blocked.set()
            await self._open.wait()
        self.chunks += 1
        self.bytes += len(message["body"])
        for block in message["body"].decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines())
            if "event" in fields:
                self._events.put_nowait(Event(fields["event"], json.loads(fields["data"]), fields.get("id")))
        if not message.get("more_body"):
            self.ended.set()


@asynccontextmanager
async def reading(app: ASGIApp, url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Reader]:
    """Open a stream."""
    parts = urlsplit(url)
    sent = {"host": "127.0.0.1:5050", **(headers or {})}
    scope = {
        "type": "http",
        "method": "GET",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "scheme": "http",
        "server": ("127.0.0.1", 5050),
        "root_path": "",
        "http_version": "1.1",
    }
    reader = Reader()
    async with asyncio.TaskGroup() as group:
        answering = group.create_task(app(scope, reader.receive, reader.send))  # type: ignore[arg-type]
        reader.answering = answering
        yield reader
        reader.release()
        reader.leave()
        await asyncio.wait_for(answering, 10)
