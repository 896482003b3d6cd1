"""The summary stream: everything that happens, for whoever looks."""

from typing import Final, cast

from starlette.requests import Request
from starlette.responses import Response

from apsis.api.hub import FAR_BEHIND, TOPICS, Topic
from apsis.api.request import choices, known_parameters
from apsis.api.services import Services, services_of
from apsis.api.sse import EventStream, Write, encode
from apsis.lib.instant import format_instant
from apsis.wire.events import Coalesced, Hello, Ping, Reset

NAMES: Final[tuple[Topic, ...]] = ("runs", "jobs", "sync")


async def get_events(request: Request) -> Response:
    """Answer the stream, from where the reader was."""
    services = services_of(request)
    known_parameters(request, ("topics", "after"))
    topics = cast("frozenset[Topic]", choices(request, "topics", NAMES)) or TOPICS
    after = request.headers.get("last-event-id") or request.query_params.get("after")
    return EventStream(SummaryFeed(services, topics, after), services.hub.closing)


class SummaryFeed:
    """One reader of the hub: it holds a position, never events."""

    def __init__(self, services: Services, topics: frozenset[Topic], after: str | None) -> None:
        self._services = services
        self._hub = services.hub
        self._topics = topics
        position = self._hub.position_of(after) if after else self._hub.last
        self._lost = position is None
        self._position = self._hub.last if position is None else position
        self._coalescing = False
        self._skipped = 0

    async def run(self, write: Write) -> None:
        """Say hello, then what comes after the position, for ever."""
        await write(self._hello())
        if self._lost:
            await self._reset(write)
        while True:
            bell = self._hub.bell.next_ring
            if not await self._advance(write):
                await bell.wait()

    def ping(self) -> bytes:
        """Return a heartbeat; its id lets a reader whose topics are silent resume."""
        now = format_instant(self._services.clock.now())
        return encode(Ping(time=now), self._hub.id_of(self._position))

    async def _advance(self, write: Write) -> bool:
        """Write the next chunk; return whether there may be more."""
        behind = self._hub.last - self._position
        if behind > FAR_BEHIND:
            self._coalescing = True
        elif behind == 0:
            await self._caught_up(write)
            return self._hub.last > self._position
        chunk = self._hub.take(self._position, self._topics, self._coalescing)
        if chunk is None:
            await self._reset(write)
            return True
        self._skipped += chunk.skipped
        if chunk.data:
            await write(chunk.data)
        self._position = chunk.position
        return True

    async def _caught_up(self, write: Write) -> None:
        skipped, self._skipped, self._coalescing = self._skipped, 0, False
        if skipped:
            await write(encode(Coalesced(skipped=skipped), self._hub.id_of(self._position)))

    async def _reset(self, write: Write) -> None:
        self._position = self._hub.last
        self._skipped = 0
        as_of = self._hub.id_of(self._position)
        await write(encode(Reset(as_of=as_of), as_of))

    def _hello(self) -> bytes:
        as_of = self._hub.id_of(self._position)
        start = format_instant(self._hub.started_at)
        return encode(Hello(version=self._services.version, server_start=start, as_of=as_of), as_of)
