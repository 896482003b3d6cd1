"""The server in numbers."""

from starlette.requests import Request
from starlette.responses import Response

from apsis.api.request import answer, known_parameters
from apsis.api.services import services_of
from apsis.wire import server as wire


async def get_stats(request: Request) -> Response:
    """Answer what is in memory and on disk."""
    services = services_of(request)
    known_parameters(request, ())
    store = await services.store.stats()
    engine = services.engine
    return answer(wire.Stats(held=engine.held, engine=dict(engine.sizes), store=dict(store)))
