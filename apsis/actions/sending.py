"""What a kind of message needs to be sent, and what a try that failed tells the outbox."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from apsis.domain.action import Delivery

TRIES: Final = 24
"""Tries that a message is worth: with the pauses between them, some 20 hours."""
FEW: Final = 3
"""Tries for what the other side refuses: it may be in the middle of its own deployment, but hardly for a day."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a try failed, in words for the run's log. There is another one until `tries` were made.

    `after_s` is how long the destination wants to be left alone; `away`: it takes nothing at all just now.
    """

    words: str
    tries: int = TRIES
    after_s: float = 0.0
    away: bool = False


class Sender(Protocol):
    """How messages of a kind are sent. Nothing is kept from one to the next."""

    def destination(self, message: Any) -> str:
        """Return what messages to one place have in common: they are sent one after the other. No secret."""
        ...

    async def send(self, delivery: Delivery) -> Problem | None:
        """Try to send it; None: it was taken. Raises ApsisError for what stands in the way on our side."""
        ...
