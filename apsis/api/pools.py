"""Pools: how full they are, and who is in them."""

from starlette.requests import Request
from starlette.responses import Response

from apsis.api import view
from apsis.api.request import answer, known_parameters
from apsis.api.services import services_of
from apsis.wire import server as wire


async def get_pools(request: Request) -> Response:
    """Answer all pools by name."""
    services = services_of(request)
    as_of = services.hub.as_of
    known_parameters(request, ())
    pools = [
        wire.Pool(
            name=pool.name,
            size=pool.size,
            taken=pool.taken,
            waiting=pool.waiting,
            holders=[view.blocking(run) for run in pool.holders],
        )
        for pool in services.engine.pools()
    ]
    return answer(wire.PoolList(pools=pools, as_of=as_of))
