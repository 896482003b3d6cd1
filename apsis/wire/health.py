"""The answer of a server that is there."""

from typing import Literal

from apsis.wire.message import message


@message
class Health:
    """Which server this is, since when it runs, and its clock."""

    status: Literal["ok"] = "ok"
    version: str
    server_start: str
    time: str
