"""The server's way to send mail, as configured."""

from dataclasses import dataclass
from typing import Literal

from apsis.domain.secret import Secret

Tls = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class Mailing:
    """Where mail is handed over, and as whom. Without `user` nobody logs in."""

    host: str
    port: int
    sender: str
    user: str | None = None
    password: Secret | None = None
    tls: Tls = "starttls"
