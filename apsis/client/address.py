"""Where the server is, and how it is talked to."""

import os
from typing import Any, Final
from urllib.parse import urlsplit

from apsis.client.errors import ServerUnreachable

DEFAULT: Final = "http://127.0.0.1:5050"

VARIABLE: Final = "APSIS_SERVER"

TIMEOUT_S: Final = 60.0
"""For one answer; a sync fetches a repository before it answers."""

CONNECT_S: Final = 5.0

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def server_address(server: str | None) -> str:
    """Return the address that is given, else that of the environment, else the local one."""
    address = (server or os.environ.get(VARIABLE) or DEFAULT).rstrip("/")
    return address if "://" in address else f"http://{address}"


def settings(address: str, who: str | None) -> dict[str, Any]:
    """Return how httpx talks to `address`: no proxy for this machine, no certificates where there is no TLS."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise ServerUnreachable(address, str(error)) from None
    return {
        "base_url": address,
        "headers": {"X-Apsis-Who": who.encode()} if who else {},
        "verify": parts.scheme == "https",
        "trust_env": parts.hostname not in LOOPBACK,
    }
