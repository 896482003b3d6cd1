"""The answer of a server that is there."""

from typing import Literal

from apsis.wire.message import message, said


@message
class Health:
    """Which server this is, since when it runs, its clock, and whether it is held."""

    status: Literal["ok"] = "ok"
    version: str
    server_start: str
    time: str
    held: str | None = said("Why nothing that fell due starts until somebody releases it; null: it starts.")
