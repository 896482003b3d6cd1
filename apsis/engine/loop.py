"""The loop: wait, decide, make durable, tell, do, answer. It holds no logic; `Book.turn` holds no loop."""

import logging
from typing import Final

from apsis.domain.errors import StoreError
from apsis.engine.book import Book
from apsis.engine.inbox import Inbox, answer
from apsis.engine.perform import Performer
from apsis.engine.ports import Publisher, Store
from apsis.engine.turn import Turn
from apsis.lib.clock import Clock

log = logging.getLogger(__name__)

COMMIT_AGAIN_S: Final = 1.0
"""Pause before a turn that the database refused (full disk, foreign lock) is committed again. Nothing is lost: the
turn is kept, nobody has been told of it, and the loop goes no further until it is durable."""


class Loop:
    """The engine's one task."""

    def __init__(
        self, book: Book, inbox: Inbox, store: Store, publisher: Publisher, performer: Performer, clock: Clock
    ) -> None:
        self._book = book
        self._inbox = inbox
        self._store = store
        self._publisher = publisher
        self._performer = performer
        self._clock = clock
        self.failing: str | None = None

    async def run(self) -> None:
        """Turn for ever."""
        while True:
            now = self._clock.now()
            until = now if self._book.busy else self._book.next_at(now, self._clock.monotonic())
            await self._clock.wait(self._inbox.ready, until)
            await self.finish(self._book.turn(self._inbox.drain(), self._clock.now(), self._clock.monotonic()))

    async def finish(self, turn: Turn) -> None:
        """Make durable what a turn decided, then tell, then do, then answer."""
        if changes := turn.changes:
            while True:
                try:
                    await self._store.commit(changes)
                except StoreError as error:
                    self.failing = error.message
                    log.error("commit_failed: %s; trying again", error.message)
                    await self._clock.sleep(COMMIT_AGAIN_S)
                else:
                    self.failing = None
                    break
        if news := turn.news:
            self._publisher.publish(news)
        for instruction in turn.instructions:
            self._performer.perform(instruction)
        for envelope, result in turn.answers:
            answer(envelope, result)
