"""Whether the server is there, and which one it is."""

from starlette.requests import Request
from starlette.responses import Response

from apsis.api.request import answer
from apsis.api.services import services_of
from apsis.lib.instant import format_instant
from apsis.wire.health import Health


async def get_health(request: Request) -> Response:
    """Answer the version and the start of the server."""
    services = services_of(request)
    return answer(
        Health(
            version=services.version,
            server_start=format_instant(services.hub.started_at),
            time=format_instant(services.clock.now()),
        )
    )
