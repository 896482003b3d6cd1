"""What the handlers ask: handed over by `service` once, found by each request."""

from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from apsis.api.hub import Hub
from apsis.api.ports import Engine, LiveOutput, Repos, Store
from apsis.lib.clock import Clock


@dataclass(frozen=True)
class Services:
    """The server as the API sees it.

    `allowed_hosts` are names (no port) by which the server may be addressed, beside the loopback ones. `static` is
    where the built dashboard lies; None: the package's own directory.
    """

    engine: Engine
    store: Store
    live: LiveOutput
    repos: Repos
    hub: Hub
    clock: Clock
    version: str
    allowed_hosts: frozenset[str] = frozenset()
    static: Path | None = None


def services_of(request: Request) -> Services:
    """Return the services of the application that got the request."""
    services: Services = request.app.state.services
    return services
