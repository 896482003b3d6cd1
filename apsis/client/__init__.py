"""The public Python client: http, and streams that resume."""

from typing import TYPE_CHECKING, Any

from apsis.client.errors import (
    BadAnswer,
    BadRequest,
    ClientError,
    Conflict,
    NotFound,
    Refused,
    ServerFailed,
    ServerUnreachable,
    TimedOut,
)

if TYPE_CHECKING:
    from apsis.client.http import Client
    from apsis.client.http_async import AsyncClient

__all__ = [
    "AsyncClient",
    "BadAnswer",
    "BadRequest",
    "Client",
    "ClientError",
    "Conflict",
    "NotFound",
    "Refused",
    "ServerFailed",
    "ServerUnreachable",
    "TimedOut",
]


def __getattr__(name: str) -> Any:
    """Load httpx when a client is asked for: who only looks at errors need not wait for it."""
    if name == "Client":
        from apsis.client.http import Client  # noqa: PLC0415

        return Client
    if name == "AsyncClient":
        from apsis.client.http_async import AsyncClient  # noqa: PLC0415

        return AsyncClient
    raise AttributeError(name)
