"""An event loop without an outside: what is ready runs in its order, one callback at a time, as far as is wanted.

So a step of a world ends exactly when nothing can go on, and the power can be cut between any two callbacks.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final

MOST_CALLBACKS: Final = 200_000
"""What one step may take; beyond, the engine turns and turns and nothing comes of it."""


class Loop(asyncio.AbstractEventLoop):
    """What the tasks of one life of the server run on."""

    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.failures: list[BaseException] = []

    @property
    def idle(self) -> bool:
        """Whether nothing can go on."""
        return not self._ready

    def run(self, most: int = MOST_CALLBACKS) -> int:
        """Run what is ready, and what becomes ready by it, at most so many callbacks; return how many it were."""
        asyncio._set_running_loop(self)
        ready, done = self._ready, 0
        try:
            while ready and done < most:
                done += 1
                handle = ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(None)
        return done

    def end(self) -> None:
        """Cancel every task, and let none of them do anything more than end."""
        for task in self._tasks:
            task.cancel()
        self.run()

    # -- what asyncio asks of a loop ---------------------------------------------------------------------------

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        failure = context.get("exception")
        self.failures.append(failure if failure is not None else RuntimeError(context["message"]))

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def time(self) -> float:
        return 0.0
