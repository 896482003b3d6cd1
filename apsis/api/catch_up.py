"""Catching up: what is due and not started, and letting go of what is held since the start."""

import logging
from typing import Final

from anyio.lowlevel import checkpoint
from starlette.requests import Request
from starlette.responses import Response

from apsis.api.request import answer, body, known_parameters, who
from apsis.api.services import services_of
from apsis.lib.instant import format_instant
from apsis.wire import run as wire_run
from apsis.wire import server as wire

log = logging.getLogger(__name__)

MOST_JOBS: Final = 1_000
"""Jobs that are listed; who looks at what is held sees the worst."""


async def get_catch_up(request: Request) -> Response:
    """Answer whether the server is held, and what each job owes, those that owe the most first."""
    services = services_of(request)
    as_of = services.hub.as_of
    known_parameters(request, ())
    found = []
    for owed in services.engine.pending():
        if owed is not None:
            found.append(owed)
        await checkpoint()
    found.sort(key=lambda owed: (-owed.runs, owed.job_id))
    pending = [
        wire.Pending(job_id=owed.job_id, runs=owed.runs, more=owed.more, oldest=format_instant(owed.oldest))
        for owed in found[:MOST_JOBS]
    ]
    runs = sum(owed.runs for owed in found)
    return answer(wire.CatchUp(held=services.engine.held, jobs=len(found), runs=runs, pending=pending, as_of=as_of))


async def release(request: Request) -> Response:
    """Let go of what is held, and answer what is still pending; nothing happens if nothing is held."""
    services = services_of(request)
    await body(request, wire_run.Reason)
    reason = services.engine.held
    if reason is not None:
        # In this order: a server that ends in between is held once more, which harms nobody.
        await services.engine.release(who=who(request))
        await services.store.clear_held()
        log.info("released: what was held (%s) is let go by %s", reason, who(request))
    return await get_catch_up(request)
