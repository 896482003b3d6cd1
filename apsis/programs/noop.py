"""No-ops: nothing happens, for a while, and then it ends as it was told to."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from whenever import TimeDelta

from apsis.domain.events import Broke, Failed, ProgramEvent, Started, Succeeded
from apsis.domain.program import NoOp, Outcome
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.lib.clock import Clock


class NoOps:
    """How no-ops are done. Their only state is when they entered `starting`, which the run itself keeps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stops: dict[str, asyncio.Event] = {}

    async def start(self, run: Run, program: NoOp) -> AsyncGenerator[ProgramEvent, None]:
        """Start and follow it; after a crash in `starting`, for what is left of its time."""
        with self._stoppable(run) as stop:
            yield Started()
            yield await self._end(run, program, stop)

    async def connect(self, run: Run, program: NoOp) -> AsyncGenerator[ProgramEvent, None]:
        """Follow it for what is left of its time."""
        with self._stoppable(run) as stop:
            if run.state is State.STOPPING:
                # There is no program that could remember a stop that was asked for before the restart.
                stop.set()
            yield await self._end(run, program, stop)

    async def stop(self, run: Run, _program: NoOp) -> None:
        """End it now, as failed."""
        if run.run_id in self._stops:
            self._stops[run.run_id].set()

    async def kill(self, run: Run, program: NoOp) -> None:
        """End it now, as failed."""
        await self.stop(run, program)

    @contextmanager
    def _stoppable(self, run: Run) -> Iterator[asyncio.Event]:
        stop = self._stops[run.run_id] = asyncio.Event()
        try:
            yield stop
        finally:
            # The run's next attempt may have begun already.
            if self._stops.get(run.run_id) is stop:
                del self._stops[run.run_id]

    async def _end(self, run: Run, program: NoOp, stop: asyncio.Event) -> ProgramEvent:
        until = run.timestamps[State.STARTING] + TimeDelta(seconds=program.duration_s)
        while not stop.is_set() and self._clock.now() < until:
            await self._clock.wait(stop, until)
        return Failed("stopped") if stop.is_set() else _outcome(program.outcome)


def _outcome(outcome: Outcome) -> ProgramEvent:
    match outcome:
        case "success":
            return Succeeded()
        case "failure":
            return Failed("failure")
        case "error":
            return Broke("error")
