"""The one place where the loop waits: a bounded queue of messages with their senders' futures."""

import asyncio
from collections import deque
from typing import Final

from apsis.engine.messages import Envelope, Message, Result

MOST_QUEUED: Final = 10_000
"""Messages that may wait; who would send more waits itself. Some megabytes at most."""

MOST_IN_A_TURN: Final = 80
"""Messages that one turn takes: some 10 ms of deciding. No more than what it takes of what is due, so that runs asked
for now fall due in the turn that makes them."""


class Inbox:
    """Many senders, one reader."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self._queue: deque[Envelope] = deque()
        self._room = asyncio.Event()
        self._room.set()

    async def tell(self, message: Message) -> None:
        """Queue a message that wants no answer."""
        await self._put(Envelope(message))

    async def ask(self, message: Message) -> Result:
        """Queue a message and return its answer once what it did is durable; raise the error that is the answer."""
        reply: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        await self._put(Envelope(message, reply))
        return await reply

    def drain(self) -> list[Envelope]:
        """Take what is there, up to MOST_IN_A_TURN."""
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), MOST_IN_A_TURN))]
        if not self._queue:
            self.ready.clear()
        if len(self._queue) < MOST_QUEUED:
            self._room.set()
        return taken

    async def _put(self, envelope: Envelope) -> None:
        while len(self._queue) >= MOST_QUEUED:
            self._room.clear()
            await self._room.wait()
        self._queue.append(envelope)
        self.ready.set()


def answer(envelope: Envelope, result: Result) -> None:
    """Wake the sender, if it still waits."""
    future = envelope.reply
    if not isinstance(future, asyncio.Future) or future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
