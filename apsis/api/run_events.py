"""The stream of one run: its states, log, metadata and output, resumable to the byte, after a server restart too.

An id is `<log seq>.<attempt>.<output offset>`: what the reader has. Log and metadata are read again from the store
whenever the run has changed, so nothing is queued; output comes from the live program, and what is left when that
ends comes from the store, by offset.
"""

import asyncio
import base64
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from apsis.api import view
from apsis.api.errors import Invalid
from apsis.api.hub import RunWatch
from apsis.api.output import PIECE_BYTES, WITH_PROGRAM, view_output
from apsis.api.request import flag, known_parameters, number
from apsis.api.runs import load_run
from apsis.api.services import Services, services_of
from apsis.api.sse import EventStream, Message, Write, encode
from apsis.domain.errors import ApsisError
from apsis.domain.run import Run
from apsis.lib.instant import format_instant
from apsis.wire.events import LogAdded, MetaChanged, OutputAdded, Ping, RunChanged, RunWithdrawn

log = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 1.0
"""How soon output is asked for again when its source ended or failed and the run goes on."""

MOST_OFFSET: Final = 10**18


@dataclass(slots=True)
class Cursor:
    """What the reader has: log entries up to `seq`, output of `attempt` up to `offset`."""

    seq: int
    attempt: int
    offset: int

    def __str__(self) -> str:
        return f"{self.seq}.{self.attempt}.{self.offset}"


CURSOR: Final = re.compile(r"(\d{1,18})\.(\d{1,18})\.(\d{1,18})", re.ASCII)


async def get_run_events(request: Request) -> Response:
    """Answer the stream of one run, from where the reader was."""
    services = services_of(request)
    known_parameters(request, ("init", "offset", "after", "output"))
    init, output = flag(request, "init", default=False), flag(request, "output", default=True)
    run = await load_run(services, request.path_params["run_id"])
    after = request.headers.get("last-event-id") or request.query_params.get("after")
    offset = number(request, "offset", 0, most=MOST_OFFSET) if "offset" in request.query_params else None
    if after is not None:
        match = CURSOR.fullmatch(after)
        if match is None:
            raise Invalid("after", f"{after!r} is no id of this stream")
        cursor = Cursor(*map(int, match.groups()))
    elif init:
        cursor = Cursor(0, run.attempt, offset or 0)
    else:
        entries = await services.store.run_log(run.run_id)
        length = (await view_output(services, run)).length if offset is None else offset
        cursor = Cursor(entries[-1].seq if entries else 0, run.attempt, length)
    feed = RunFeed(services, run, cursor, output=output)
    return EventStream(feed, services.hub.closing)


class RunFeed:
    """One reader of one run."""

    def __init__(self, services: Services, run: Run, cursor: Cursor, *, output: bool = True) -> None:
        self._services = services
        self._asked = run
        self._run_id = run.run_id
        self._cursor = cursor
        self._output = output
        self._turn = asyncio.Lock()

    async def run(self, write: Write) -> None:
        """Write the run as it is and what changes, until it is final and its last byte is written."""
        with self._services.hub.watch_run(self._run_id) as watch:
            await self._begin(watch)
            async with asyncio.TaskGroup() as both:
                output = both.create_task(self._follow_output(watch, write)) if self._output else None
                await self._follow_run(watch, write)
                if watch.withdrawn and output is not None:
                    output.cancel()
            if watch.withdrawn:
                await self._withdrawn(_run_of(watch), write)

    async def _begin(self, watch: RunWatch) -> None:
        """Load the run as it is now that we hear of changes; one that came meanwhile is newer than what was loaded."""
        loaded = await self._services.store.load_run(self._run_id)
        if watch.run is not None:
            return
        if loaded is None:
            watch.changed(self._asked, withdrawn=True)
        else:
            watch.run = loaded

    def ping(self) -> bytes:
        """Return a heartbeat."""
        return encode(Ping(time=format_instant(self._services.clock.now())), str(self._cursor))

    async def _follow_run(self, watch: RunWatch, write: Write) -> None:
        """Write states, log and metadata until the state is final."""
        meta_changes = -1
        shown: Run | None = None
        while True:
            bell, run = watch.bell.next_ring, _run_of(watch)
            entries = await self._services.store.run_log(self._run_id, self._cursor.seq)
            if run is not shown:
                await self._write(write, RunChanged(run=view.run(run)))
                shown = run
            for entry in entries:
                await self._write(write, LogAdded(entry=view.log_entry(entry)), seq=entry.seq)
            if watch.meta_changes != meta_changes:
                meta_changes = watch.meta_changes
                await self._write_meta(write)
            if watch.withdrawn or (run.state.finished and _run_of(watch) is run):
                return
            await bell.wait()

    async def _write_meta(self, write: Write) -> None:
        meta: dict[str, Any] = view.plain(await self._services.store.run_meta(self._run_id))
        if meta:
            await self._write(write, MetaChanged(meta=meta))

    async def _follow_output(self, watch: RunWatch, write: Write) -> None:
        """Write output from the cursor on: live while the program runs, the rest as it is stored."""
        while True:
            bell, run = watch.bell.next_ring, _run_of(watch)
            await self._come_to(run, write)
            output = await view_output(self._services, run)
            if output.stored is not None:
                async for piece in output.pieces(self._cursor.offset, output.length):
                    await self._write_output(write, self._cursor.offset, piece)
            elif run.state in WITH_PROGRAM:
                await self._follow_live(watch, run, write)
            if run.state.finished:
                return
            await _rings(bell, LOOK_AGAIN_S if run.state in WITH_PROGRAM else None)

    async def _come_to(self, run: Run, write: Write) -> None:
        """Write what is left of the attempts before the run's, and turn to that one."""
        while self._cursor.attempt < run.attempt:
            output = await view_output(self._services, run, self._cursor.attempt)
            async for piece in output.pieces(self._cursor.offset, output.length):
                await self._write_output(write, self._cursor.offset, piece)
            self._cursor.attempt, self._cursor.offset = self._cursor.attempt + 1, 0
        if self._cursor.attempt > run.attempt:
            self._cursor.attempt, self._cursor.offset = run.attempt, 0

    async def _follow_live(self, watch: RunWatch, run: Run, write: Write) -> None:
        """Write what the program writes; once the run is final all of it is stored, and the rest comes from there."""
        pieces = self._services.live.watch_output(run, self._cursor.offset)
        try:
            async for offset, data in _until(watch.final, pieces):
                await self._write_output(write, offset, data)
        except ApsisError as error:
            log.warning("output_unavailable: of run %s: %s", run.run_id, error.message)

    async def _write_output(self, write: Write, offset: int, data: bytes) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            piece, at = data[start : start + PIECE_BYTES], offset + start
            text = base64.b64encode(piece).decode()
            message = OutputAdded(attempt=self._cursor.attempt, offset=at, data=text)
            await self._write(write, message, offset=at + len(piece))

    async def _withdrawn(self, run: Run, write: Write) -> None:
        await self._write(write, RunWithdrawn(run_id=run.run_id, job_id=run.job_id))

    async def _write(
        self, write: Write, message: Message, *, seq: int | None = None, offset: int | None = None
    ) -> None:
        """Write an event whose id says what the reader has after it; the cursor moves once it is written."""
        async with self._turn:
            has = Cursor(
                self._cursor.seq if seq is None else seq,
                self._cursor.attempt,
                self._cursor.offset if offset is None else offset,
            )
            await write(encode(message, str(has)))
            if seq is not None:
                self._cursor.seq = seq
            if offset is not None:
                self._cursor.offset = offset


def _run_of(watch: RunWatch) -> Run:
    assert watch.run is not None  # noqa: S101 - set before anybody follows
    return watch.run


async def _until(final: asyncio.Event, pieces: AsyncIterator[tuple[int, bytes]]) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the pieces until they end or `final` is set, whichever is first."""
    end = asyncio.ensure_future(final.wait())
    piece = asyncio.ensure_future(_next(pieces))
    try:
        while True:
            await asyncio.wait({piece, end}, return_when=asyncio.FIRST_COMPLETED)
            if not piece.done() or (found := piece.result()) is None:
                return
            yield found
            piece = asyncio.ensure_future(_next(pieces))
    finally:
        end.cancel()
        piece.cancel()


async def _next(pieces: AsyncIterator[tuple[int, bytes]]) -> tuple[int, bytes] | None:
    return await anext(pieces, None)


async def _rings(bell: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        pass
