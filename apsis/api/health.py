"""Whether the server is there, and which one it is."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from apsis.api.request import answer
from apsis.api.services import services_of
from apsis.domain.errors import StoreError
from apsis.lib.instant import format_instant
from apsis.wire.health import Health

STUCK: Final = "Nothing is lost: what was decided is kept, and written as soon as the database takes it."


async def get_health(request: Request) -> Response:
    """Answer the version and the start of the server; a problem while the database takes nothing."""
    services = services_of(request)
    if services.engine.failing is not None:
        raise StoreError(services.engine.failing, help=STUCK)
    return answer(
        Health(
            version=services.version,
            server_start=format_instant(services.hub.started_at),
            time=format_instant(services.clock.now()),
            held=services.engine.held,
        )
    )
