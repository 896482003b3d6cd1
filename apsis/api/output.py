"""A run's output as bytes: of the live program or as stored, whole or in ranges."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from apsis.api.errors import Invalid, problem
from apsis.api.ports import LiveOutput, Store
from apsis.api.request import known_parameters, number
from apsis.api.services import Services, services_of
from apsis.domain.errors import NotFound
from apsis.domain.query import StoredOutput
from apsis.domain.run import Run
from apsis.domain.state import State

PIECE_BYTES: Final = 64 * 1024
"""What is read and sent at once."""

MOST_ATTEMPT: Final = 1_000_000_000
"""A larger number is none that anybody means."""

WITH_PROGRAM: Final = frozenset({State.STARTING, State.RUNNING, State.STOPPING})


@dataclass(frozen=True)
class OutputView:
    """The output of an attempt as it is at one moment; `stored` once it has ended."""

    run: Run
    attempt: int
    length: int
    stored: StoredOutput | None
    store: Store
    live: LiveOutput

    @property
    def etag(self) -> str | None:
        """Name the bytes, once they cannot change."""
        return f'"{self.stored.sha256}"' if self.stored else None

    async def pieces(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` up to `stop`; where the live program's end, the stored ones go on."""
        while start < stop:
            piece = await self._read(start, min(stop, start + PIECE_BYTES))
            if not piece:
                return
            start += len(piece)
            yield piece

    async def _read(self, start: int, stop: int) -> bytes:
        live = self.stored is None and self.attempt == self.run.attempt
        if live and (piece := await self.live.read_output(self.run, start, stop)):
            return piece
        return await self.store.read_stored_output(self.run.run_id, self.attempt, start, stop)


async def view_output(services: Services, run: Run, attempt: int | None = None) -> OutputView:
    """Look at the output of an attempt, the newest by default: stored, or what the program wrote so far."""
    attempt = run.attempt if attempt is None else attempt
    stored = await services.store.stored_output(run.run_id, attempt)
    if stored is not None:
        length = stored.length
    elif attempt == run.attempt and run.state in WITH_PROGRAM:
        length = await services.live.output_length(run)
    else:
        length = 0
    return OutputView(run, attempt, length, stored, services.store, services.live)


async def get_output(request: Request) -> Response:
    """Answer the raw bytes, or the range that was asked for."""
    services = services_of(request)
    known_parameters(request, ("attempt",))
    run_id = request.path_params["run_id"]
    run = await services.store.load_run(run_id)
    if run is None:
        raise NotFound("run", run_id)
    attempt = number(request, "attempt", run.attempt, least=1, most=MOST_ATTEMPT)
    if attempt > run.attempt:
        raise Invalid("attempt", f"the run is in its attempt {run.attempt}")
    output = await view_output(services, run, attempt)
    headers = {"Accept-Ranges": "bytes"} | ({"ETag": output.etag} if output.etag else {})
    if output.etag and request.headers.get("if-none-match") == output.etag:
        return Response(status_code=304, headers=headers)
    wanted = parse_range(request.headers.get("range"), output.length)
    if request.headers.get("if-range") not in {None, output.etag}:
        wanted = None
    if wanted is not None and wanted[0] >= wanted[1]:
        refused = problem(416, f"the output has {output.length} bytes", "range_not_satisfiable")
        refused.headers["Content-Range"] = f"bytes */{output.length}"
        return refused
    start, stop = wanted or (0, output.length)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{output.length}"
    headers["Content-Length"] = str(stop - start)
    pieces = output.pieces(start, stop)
    return StreamingResponse(pieces, 206 if wanted else 200, headers, media_type="text/plain; charset=utf-8")


RANGE: Final = re.compile(r"bytes=(?:(?P<first>\d{1,18})-(?P<last>\d{0,18})|-(?P<suffix>\d{1,18}))", re.ASCII)


def parse_range(header: str | None, length: int) -> tuple[int, int] | None:
    """Return (start, stop) of a single range, with start >= stop if it cannot be satisfied; None: send all.

    RFC 9110, 14.2: what is malformed, or a form that is not supported (several ranges), is ignored.
    """
    match = RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None:
        return None
    if match["suffix"]:
        return (max(0, length - int(match["suffix"])), length) if int(match["suffix"]) else (length, length)
    first = int(match["first"])
    if not match["last"]:
        return first, length
    last = int(match["last"])
    return (first, min(last + 1, length)) if last >= first else None
