"""The answer of a server that is there."""

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """Which server this is, since when it runs, and its clock."""

    status: Literal["ok"] = "ok"
    version: str
    server_start: str
    time: str
